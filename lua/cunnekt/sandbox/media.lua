-- SPDX-License-Identifier: MIT
-- The sample files that customers of the sandbox send: one small file per media type, with its real SHA-256. The image and
-- the document can be opened; the others are only bytes.
local core = require "cunnekt.core"

local media = {}

-- One red pixel.
local PIXEL = core.base64_decode "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"

local PAGE = table.concat({
  "%PDF-1.4",
  "1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj",
  "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj",
  "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 80]/Contents 4 0 R/Resources<</Font<</F<</Type/Font"
    .. "/Subtype/Type1/BaseFont/Helvetica>>>>>>>>endobj",
  "4 0 obj<</Length 39>>stream",
  "BT /F 14 Tf 20 40 Td (Order 4711) Tj ET",
  "endstream endobj",
  "trailer<</Root 1 0 R>>",
  "%%EOF",
  "",
}, "\n")

local KINDS = {
  image = { mime_type = "image/png", data = PIXEL },
  document = { mime_type = "application/pdf", filename = "order.pdf", data = PAGE },
  video = { mime_type = "video/mp4", data = "\0\0\0\24ftypmp42 a sample video\n" },
  audio = { mime_type = "audio/ogg; codecs=opus", data = "OggS a sample voice message\n" },
  sticker = { mime_type = "image/webp", data = "RIFF\20\0\0\0WEBP a sample sticker\n" },
}

-- For files that are given without a type. WhatsApp allows more types of documents.
local MIME_TYPES = {
  jpg = "image/jpeg", jpeg = "image/jpeg", png = "image/png", webp = "image/webp", mp4 = "video/mp4", ["3gp"] = "video/3gpp",
  ogg = "audio/ogg; codecs=opus", mp3 = "audio/mpeg", m4a = "audio/mp4", amr = "audio/amr", pdf = "application/pdf",
  txt = "text/plain", csv = "text/csv", doc = "application/msword", xls = "application/vnd.ms-excel",
}

---Whether messages of this type carry a file.
---@param kind string an event type
---@return boolean
function media.is_media(kind)
  return KINDS[kind] ~= nil
end

---The type of a file, by the extension of its name.
---@param filename string
---@return string|nil mime_type nil for an unknown extension
function media.mime_type(filename)
  return MIME_TYPES[(filename:match "%.(%w+)$" or ""):lower()]
end

---The file of a message: the given one, or the sample of its type.
---@param kind string image, document, video, audio or sticker
---@param given { data: string|nil, filename: string|nil, mime_type: string|nil }
---@return { data: string, mime_type: string, filename: string|nil, sha256: string } file sha256 in base64, as in a webhook
function media.file(kind, given)
  local sample = KINDS[kind]
  local data, filename = given.data or sample.data, given.filename or sample.filename
  return {
    data = data,
    filename = filename,
    mime_type = given.mime_type or given.filename and media.mime_type(given.filename) or sample.mime_type,
    sha256 = core.base64_encode(core.sha256():update(data):digest()),
  }
end

return media
