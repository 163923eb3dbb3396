-- SPDX-License-Identifier: MIT
-- The picture in the README is what `cunnekt dev` shows today for the README's first script.

local process = require "spec.support.process"

describe("the picture in the README", function()
  local folder

  before_each(function()
    folder = process.folder()
  end)

  it("is what the program shows", function()
    local made = process.cunnekt { "run", "make/picture/main.lua", process.host, folder.path .. "/dev.svg" }
    assert.equal("", made.err)
    local is_same = process.read(folder.path .. "/dev.svg") == process.read "docs/dev.svg"
    assert.is_true(is_same, "docs/dev.svg is not what cunnekt dev shows; draw it anew: make picture")
  end)

  it("says in words what it shows, and has no script in it", function()
    local picture = process.read "docs/dev.svg"
    assert.matches('role="img" aria%-label="A terminal: ', picture)
    assert.is_nil(picture:find "<script")
    assert.truthy(process.read("README.md"):find("](docs/dev.svg)", 1, true))
  end)
end)
