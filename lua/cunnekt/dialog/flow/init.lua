-- SPDX-License-Identifier: MIT
-- The implementation of a chat's questions and waits, by the names of its methods (bot/chat.lua documents them). Each
-- function takes the dialogs and the chat first, except `step` and `call`, which take only the chat.

local ask = require "cunnekt.dialog.flow.ask"
local collect = require "cunnekt.dialog.flow.collect"
local wait = require "cunnekt.dialog.flow.wait"

return {
  ask = ask.ask,
  ask_buttons = ask.ask_buttons,
  ask_list = ask.ask_list,
  ask_form = ask.ask_form,
  ask_template = ask.ask_template,
  back = ask.back,
  call = ask.call,
  cancel = ask.cancel,
  collect = collect.collect,
  flush = ask.flush,
  pause = ask.pause,
  step = ask.step,
  sleep = wait.sleep,
  wait = wait.wait,
}
