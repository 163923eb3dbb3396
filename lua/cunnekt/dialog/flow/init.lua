-- SPDX-License-Identifier: MIT
-- What a chat can ask and wait for, by the names of its methods (bot/chat.lua). Each function takes the dialogs and the
-- chat first, but for `step` and `call`, which take the chat alone.

local ask = require "cunnekt.dialog.flow.ask"
local wait = require "cunnekt.dialog.flow.wait"

return {
  ask = ask.ask,
  ask_buttons = ask.ask_buttons,
  ask_list = ask.ask_list,
  ask_form = ask.ask_form,
  back = ask.back,
  call = ask.call,
  cancel = ask.cancel,
  pause = ask.pause,
  step = ask.step,
  sleep = wait.sleep,
  wait = wait.wait,
}
