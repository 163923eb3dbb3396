-- SPDX-License-Identifier: MIT
-- The text of scripts: loaded with their modules, kept whole, and loaded again from what was kept, when the files are others.

local process = require "spec.support.process"
local source = require "cunnekt.dialog.engine.source"
local world = require "cunnekt.dialog.engine.world"

describe("the text of a script", function()
  local folder

  before_each(function()
    folder = process.folder()
  end)

  local function write(name, text)
    return process.write(folder.path .. "/" .. name, text)
  end

  -- Loads a script whose `require` finds modules beside it.
  local function load_script(path)
    local env
    env = world.new(setmetatable({
      require = function(name)
        return assert(source.load_module(name, folder.path .. "/" .. name .. ".lua", env))(name)
      end,
    }, { __index = _G }))
    return assert(source.load(path, env))(), env
  end

  it("is run as a file is, with a first line for the shell", function()
    local path = write("bot.lua", "#!/usr/bin/env cunnekt\nreturn function() return debug.getinfo(1, 'Sl') end")
    local info = load_script(path)()
    assert.are.same({ "@" .. path, 2 }, { info.source, info.currentline })
  end)

  it("is run as a file is, behind a byte order mark, with its modules, also from what was kept", function()
    write("texts.lua", "\xef\xbb\xbf\nreturn debug.getinfo(1, 'l').currentline")
    local path = write("bot.lua", "\xef\xbb\xbflocal line = require 'texts'\nreturn function() return line, debug.getinfo(1, 'l').currentline end")
    local fn = load_script(path)
    assert.are.same({ 2, 2 }, { fn() })
    assert.are.same({ 2, 2 }, { assert(source.load_kept(source.of(fn).text, {}))()() })
  end)

  it("may be empty", function()
    assert.is_nil((load_script(write("bot.lua", ""))))
  end)

  it("says what is wrong with a file", function()
    local chunk, problem = source.load(folder.path .. "/nothing.lua", world.new())
    assert.is_nil(chunk)
    assert.matches("nothing.lua", problem)
    chunk, problem = source.load(write("bad.lua", "x ="), world.new())
    assert.is_nil(chunk)
    assert.matches("bad.lua:1:", problem)
    chunk, problem = source.load_module("nothing", folder.path .. "/nothing.lua", world.new())
    assert.is_nil(chunk)
    assert.matches("nothing.lua", problem)
  end)

  it("is known by its digest, which is another for another text, path or module", function()
    local digests = {}
    local function digest_of(files)
      for name, text in pairs(files) do
        write(name, text)
      end
      local its_source = source.of((load_script(folder.path .. "/bot.lua")))
      assert.equal(32, #its_source.digest)
      digests[#digests + 1] = its_source.digest
    end
    local bot = "local words = require 'words' return function() return words end"
    digest_of { ["bot.lua"] = bot, ["words.lua"] = "return 1" }
    digest_of {}
    digest_of { ["words.lua"] = "return 2" }
    digest_of { ["bot.lua"] = bot .. " " }
    assert.equal(digests[1], digests[2])
    assert.are_not.equal(digests[1], digests[3])
    assert.are_not.equal(digests[3], digests[4])
  end)

  it("is loaded again from what was kept, with its modules, when the files are others", function()
    write("bot.lua", "local words = require 'words' return function() return words.hello .. words.bytes end")
    write("words.lua", "local name, path = ... return { hello = 'Welcome ' .. name, bytes = '\\0\xff' }")
    local kept = source.of((load_script(folder.path .. "/bot.lua"))).text
    write("bot.lua", "return function() return 'changed' end")
    write("words.lua", "return {}")
    local chunk = assert(source.load_kept(kept, {}))
    assert.equal("Welcome words\0\xff", chunk()())
  end)

  -- A function without globals refers to no environment. Its script was taken for one without modules, so that a dialog
  -- continued with the old script and the new words.
  it("is the whole script's for a function that uses no globals, in a module as well", function()
    write("bot.lua", "local words = require 'words' return function(chat) chat:ask(words.hello) end, words.fn, function() return os end")
    write("words.lua", "return { hello = 'Welcome', fn = function(chat) chat:ask 'x' end }")
    local env
    env = world.new(setmetatable({
      require = function(name)
        return assert(source.load_module(name, folder.path .. "/" .. name .. ".lua", env))(name)
      end,
    }, { __index = _G }))
    local without, of_module, with = assert(source.load(folder.path .. "/bot.lua", env))()
    assert.equal(source.of(with), source.of(without))
    assert.equal(source.of(with), source.of(of_module))
    assert.is_string(source.of(without).modules.words)
  end)

  it("gets ours by require, and a module once", function()
    write("bot.lua", "local a, b = require 'words', require 'words' return function() return a, b, require 'cunnekt', require 'string' end")
    write("words.lua", "count = (count or 0) + 1 return { count }")
    local kept = source.of((load_script(folder.path .. "/bot.lua"))).text
    local public = { is_public = true }
    local a, b, given, library = assert(source.load_kept(kept, public))()()
    assert.equal(a, b)
    assert.equal(public, given)
    assert.equal(string, library)
  end)

  it("runs a module that returns nothing once", function()
    write("bot.lua", "require 'words' require 'words' return function() return loads end")
    write("words.lua", "loads = (loads or 0) + 1")
    local kept = source.of((load_script(folder.path .. "/bot.lua"))).text
    loads = nil -- luacheck: ignore
    local seen = assert(source.load_kept(kept, {}))()()
    assert.equal(1, seen)
    loads = nil -- luacheck: ignore
  end)

  it("is its file's where a plain interpreter loaded the script", function()
    local path = write("plain.lua", "return function() return os.time() end")
    local its_source = source.of(assert(loadfile(path))())
    assert.are.same({ path, "return function() return os.time() end" }, { its_source.main, its_source.files[path] })
  end)

  it("is nowhere for what came from no file", function()
    assert.is_nil(source.of(assert(load("return function() return os end", "=text"))()))
    assert.is_nil(source.of(assert(load("return function() return os end", "@/nonexistent/file.lua"))()))
  end)
end)
