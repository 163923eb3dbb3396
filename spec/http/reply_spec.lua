-- SPDX-License-Identifier: MIT
-- How the answer to a message is read: what is HTTP, where it ends, and whether the connection is used again. Each answer comes
-- whole, byte by byte and cut at random. What libcurl makes of the same bytes is beside it: the message reads the same, or refuses
-- more.

local core = require "cunnekt.core"
local http = require "cunnekt.provider.http"
local http_rig = require "spec.support.rigs.http_rig"
local raw_peer = require "spec.support.raw_peer"
local task = require "cunnekt.base.task"

local MOST_BODY = 2000
local peer

local function field(text, value)
  return ("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s"):format(text, #(value or ""), value or "")
end

local function chunked(text)
  return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" .. text
end

local function with_length(text, body)
  return ("HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n%s"):format(text, body)
end

local long = ("x"):rep(100)

-- Each: what it is; the bytes; status and body, or the kind of the failure; `ends`: the server closes behind it; `again`: another
-- request goes over the same connection; `libcurl`: what libcurl says, where that is something else.
local answers = {
  { "a plain answer", field("X-A: b\r\n", "body"), 200, "body", again = true },
  { "no reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, "", again = true },
  { "an empty reason", "HTTP/1.1 201 \r\nContent-Length: 0\r\n\r\n", 201, "", again = true },
  { "bytes beyond ASCII", field("X-A: \xc3\xa4\xff\r\n", "\0\xff\r\n"), 200, "\0\xff\r\n", again = true },
  { "no body", "HTTP/1.1 204 None\r\n\r\n", 204, "", again = true },
  { "no body, and a length", "HTTP/1.1 304 Same\r\nContent-Length: 7\r\n\r\n", 304, "", again = true },
  { "a body to the end", "HTTP/1.1 200 OK\r\n\r\nbody", 200, "body", ends = true },
  { "an empty body to the end", "HTTP/1.1 200 OK\r\n\r\n", 200, "", ends = true },
  { "HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody", 200, "body" },
  { "an announced close", field("connection: Keep-Alive, CLOSE\r\n", "body"), 200, "body" },
  { "another word that holds close", field("Connection: closed\r\n", "body"), 200, "body", again = true },
  { "chunks", chunked "4\r\nbody\r\n0\r\n\r\n", 200, "body", again = true },
  { "many chunks", chunked(("1\r\nx\r\n"):rep(100) .. "0\r\n\r\n"), 200, long, again = true },
  { "a trailer", chunked "4\r\nbody\r\n0\r\nX-Late: x\r\nContent-Length: 9\r\n\r\n", 200, "body", again = true },
  { "extensions", chunked "4;a=b;c\r\nbody\r\n00 ; d\r\n\r\n", 200, "body", again = true },
  { "upper case", chunked "0A\r\n0123456789\r\n0\r\n\r\n", 200, "0123456789", again = true },
  { "chunks and a length", field("Transfer-Encoding: Chunked\r\n"):gsub("0\r\n\r\n$", "9\r\n\r\n") .. "4\r\nbody\r\n0\r\n\r\n", 200, "body" },
  { "the same length twice", field("Content-Length: 4\r\n", "body"), 200, "body", again = true },
  { "100 before it", "HTTP/1.1 100 Continue\r\n\r\n" .. field("", "body"), 200, "body", again = true },
  { "several before it", ("HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n"):rep(9) .. field("", "body"), 200, "body", again = true },
  { "more than the answer", field("", "body") .. "HTTP/1.1 200 OK\r\n", 200, "body" },
  { "a redirect", "HTTP/1.1 307 There\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 307, "", again = true },
  { "an encoding that nobody asked for", field("Content-Encoding: gzip\r\n", "\x1f\x8b"), 200, "\x1f\x8b", again = true },
  { "the largest body", field("", ("x"):rep(MOST_BODY)), 200, ("x"):rep(MOST_BODY), again = true },

  { "a body that is too large", field("", ("x"):rep(MOST_BODY + 1)), "too_large" },
  { "a length that is too large", with_length("99999999999999999999999", "x"), "too_large", ends = true, libcurl = 200 },
  { "chunks that are too large", chunked(("7d0\r\n%s\r\n1\r\nx\r\n"):format(("x"):rep(MOST_BODY))), "too_large" },
  { "a chunk that is too large", chunked "fffffffffffffff0\r\nx", "too_large", ends = true, libcurl = "network" },
  { "a body to the end that is too large", "HTTP/1.1 200 OK\r\n\r\n" .. ("x"):rep(MOST_BODY + 1), "too_large" },

  { "nothing", "", "network", ends = true },
  { "half a status line", "HTTP/1.1 200", "network", ends = true },
  { "half a head", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n", "network", ends = true },
  { "half a body", with_length("5", "body"), "network", ends = true },
  { "half a chunk", chunked "5\r\nbody", "network", ends = true },
  { "no last chunk", chunked "4\r\nbody\r\n", "network", ends = true },
  { "half a trailer", chunked "4\r\nbody\r\n0\r\n", "network", ends = true },
  { "only 100", "HTTP/1.1 100 Continue\r\n\r\n", "network", ends = true },
  { "101", "HTTP/1.1 101 Switch\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "network", ends = true },
  { "no HTTP", "SSH-2.0-OpenSSH\r\n", "network", ends = true },
  { "no HTTP, without a line", "\x16\3\1\0\0", "network", ends = true },
  { "HTTP/0.9", "<html>", "network", ends = true },
  { "HTTP/2", "HTTP/2 200\r\nContent-Length: 0\r\n\r\n", "network", ends = true, libcurl = 200 },
  { "an empty line before it", "\r\n" .. field("", "body"), "network", ends = true },
  { "no status", "HTTP/1.1 OK\r\n\r\n", "network", ends = true },
  { "a status of two digits", "HTTP/1.1 20\r\n\r\n", "network", ends = true },
  { "a status of four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", "network", ends = true },
  { "two spaces before the status", "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n", "network", ends = true, libcurl = 200 },
  { "a line that is no field", field("no field\r\n", ""), "network", ends = true },
  { "a field without a name", field(": x\r\n", ""), "network", ends = true, libcurl = 200 },
  { "a space before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 4\r\n\r\nbody", "network", ends = true, libcurl = 200 },
  { "a field that goes on", field("X-A: b\r\n c\r\n", "body"), "network", ends = true, libcurl = 200 },
  { "lines without CR", field("X-A: b\n", "body"), "network", ends = true, libcurl = 200 },
  { "an end of the head without CR", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n", "network", ends = true, libcurl = 200 },
  { "a NUL in a value", field("X-A: b\0c\r\n", ""), "network", ends = true },
  { "a CR in a value", field("X-A: b\rX-B: c\r\n", ""), "network", ends = true, libcurl = 200 },
  { "two lengths", field("Content-Length: 3\r\n", "body"), "network", ends = true, libcurl = 200 },
  { "a list of lengths", with_length("4, 4", "body"), "network", ends = true, libcurl = 200 },
  { "a negative length", with_length("-4", "body"), "network", ends = true },
  { "a length with a sign", with_length("+4", "body"), "network", ends = true, libcurl = 200 },
  { "a length in hexadecimal", with_length("0x4", "body"), "network", ends = true, libcurl = 200 },
  { "an empty length", with_length("", "body"), "network", ends = true },
  { "another coding", field("Transfer-Encoding: gzip, chunked\r\n", ""), "network", ends = true },
  { "a coding that is none", field("Transfer-Encoding: identity\r\n", "body"), "network", ends = true, libcurl = 200 },
  { "chunked twice", field("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "network", ends = true },
  { "a size that is none", chunked "x\r\n", "network", ends = true },
  { "an empty size", chunked "\r\n\r\n", "network", ends = true },
  { "a size in front of which are zeros", chunked(("0"):rep(30000) .. "4\r\nbody\r\n0\r\n\r\n"), "network", ends = true },
  { "a size and no CR", chunked "4\nbody\r\n0\r\n\r\n", "network", ends = true, libcurl = 200 },
  { "a chunk and no CR", chunked "4\r\nbody\n0\r\n\r\n", "network", ends = true, libcurl = 200 },
  { "a chunk that is longer than it says", chunked "4\r\nbodyxx0\r\n\r\n", "network", ends = true },
  { "a trailer that is no field", chunked "0\r\nno field\r\n\r\n", "network", ends = true },
}

-- Sends one message and answers it with these pieces; gives how it ended.
local function exchange(send, pieces, ends)
  local answer, err, is_over
  task.spawn(function()
    answer, err = send()
    is_over = true
  end)
  local link = peer:request()
  for _, piece in ipairs(pieces) do
    link:send(piece)
    core.step(false)
    core.step(false)
  end
  if ends then
    link:close()
  end
  peer:wait(function()
    return is_over
  end)
  return answer, err, link
end

local function whole(bytes)
  return { bytes }
end

local function byte_by_byte(bytes)
  local pieces = {}
  for at = 1, #bytes do
    pieces[at] = bytes:sub(at, at)
  end
  return pieces
end

local function at_random(bytes)
  local pieces, at = {}, 1
  while at <= #bytes do
    local size = math.random(1, 40)
    pieces[#pieces + 1], at = bytes:sub(at, at + size - 1), at + size
  end
  return pieces
end

describe("the answer to a message", function()
  before_each(function()
    peer = raw_peer.listen()
  end)

  after_each(function()
    peer:close()
  end)

  local function send()
    return http_rig.post_message("http://shop.example/v1", "body", { unix = peer.path, timeout = 5, max_bytes = MOST_BODY })
  end

  local function check(row, pieces)
    local wanted, body = row[3], row[4]
    local answer, err, link = exchange(send, pieces, row.ends)
    if math.type(wanted) then
      assert.are.same({ wanted, body }, { answer and answer.status, answer and answer.body }, err and err.message)
      assert.is_truthy(row[2]:find(answer.head, 1, true))
    else
      assert.is_nil(answer)
      assert.are.same({ wanted, true }, { err.kind, err.sent }, err.message)
    end
    local _, _, next_link = exchange(send, { field("", "next") })
    assert.are.equal(row.again or false, next_link == link)
  end

  for _, row in ipairs(answers) do
    it("is read the same however it comes: " .. row[1], function()
      check(row, whole(row[2]))
      if #row[2] < 1000 then
        check(row, byte_by_byte(row[2]))
      end
      for _ = 1, 5 do
        check(row, at_random(row[2]))
      end
    end)
  end

  it("is what libcurl says, or refused", function()
    for _, row in ipairs(answers) do
      local answer, err = exchange(function()
        return http.post("http://shop.example/v1", "body", { unix = peer.path, timeout = 5, max_bytes = MOST_BODY })
      end, { row[2] }, row.ends)
      assert.are.equal(row.libcurl or row[3], answer and answer.status or err.kind, row[1])
      if answer and row[4] then
        assert.are.equal(row[4], answer.body, row[1])
      end
    end
  end)

  it("is refused when its head is endless, before it or behind it", function()
    local endless = { "HTTP/1.1 100 Continue\r\n\r\n", "X-A: b\r\n", "X" }
    local before = { "", "HTTP/1.1 200 OK\r\n", chunked "0\r\n" .. "X: " }
    for i, text in ipairs(endless) do
      local _, err = exchange(send, { before[i], (text):rep(256 * 1024 // #text) })
      assert.are.same({ "too_large", true }, { err.kind, err.sent }, text)
    end
    local _, err = exchange(send, { chunked "4;" .. ("x"):rep(200000) })
    assert.are.equal("too_large", err.kind)
  end)
end)
