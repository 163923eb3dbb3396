-- SPDX-License-Identifier: MIT
-- The country calling codes, and how long telephone numbers are behind each: what tells a number with its country code from
-- one without. Facts of ITU-T E.164 and of the national numbering plans (itu.int/oth/T0202), for subscribers' numbers only.
-- It is no directory: a number that fits may not exist. numbers.lua reads numbers with it; replies never ask it, so a plan
-- that has changed since keeps nobody from an answer.

local plans = {}

---The plan of a country calling code.
---@class cunnekt.number_plan
---@field code string the calling code
---@field lengths {first: string, from: integer, to: integer, is_explicit_only: boolean}[]
---@field trunk string? what national numbers are written with in front, and international ones without
---@field is_bare boolean? national numbers of more than ten digits are usual without their trunk prefix

-- Lengths of national numbers : country calling codes. `9`: nine digits, the first of which is not 0. `8-10[2]`: eight to ten
-- digits that begin with 2. `7+`: a length that is believed only of a number that has "+" or "00" in front, because without
-- these numbers of other countries look alike.
local lengths = {
  -- North America; Russia and Kazakhstan
  { "10[2-9]", "1" },
  { "10[3-9]", "7" },
  -- Africa
  { "9", "27 211 218 221 233 240 244 249 251 255 256 260 261 262" },
  { "9[5-8] 9+", "212" },
  { "9[5-7] 8[1-4]", "213" },
  { "8", "216 222 223 226 227 228 232 235 236 253 257 266" },
  { "9[67] 8[3] 8-9+", "224" },
  { "10[02][1-9]", "225" },
  { "10[0][1-9] 8", "229" },
  { "9 7-8+", "231" },
  { "10 8+", "234" },
  { "9[26] 8+", "237" },
  { "9[2-9] 9[0][1-9]", "242" },
  { "9 7-8+ 10+", "243" },
  { "9[4-9] 7+", "245" },
  { "6 5", "247" },
  { "9 8+", "250 258 264" },
  { "9[1679] 8[1-9] 6-7+", "252" },
  { "9[17] 7-9+", "254" },
  { "9[7] 7-10+", "263" },
  { "8[7] 7+", "267" },
  { "8 9+", "268" },
  { "4-5", "290" },
  { "8[5] 7-8+", "230" },
  { "7[59] 7+", "238" },
  { "7[9] 7+", "239" },
  { "8[0][1-9] 7[67] 7-8+", "241" },
  { "7[3] 7+", "246" },
  { "7[2] 7+", "248" },
  { "9 7+", "265" },
  { "7[34] 7+", "269" },
  { "7[178] 7+", "291" },
  { "10[1] 8-9+", "20" },
  { "7[2-9] 7+ 9+", "220" },
  -- Europe
  { "10[2-9]", "30" },
  { "9", "31 33 41 48 351 380 420 421" },
  { "9[4] 8+", "32" },
  { "9[5-9]", "34" },
  { "9[2-7] 8+", "36" },
  { "9-10[3] 6-11[0][1-9]", "39" },
  { "9[237] 9+", "40" },
  { "9-12[6] 5-13+", "43" },
  { "10[1-9] 9[1]", "44" },
  { "8[2-9]", "45" },
  { "9 7-8+", "46" },
  { "10-11[1] 9-11[2-9] 6-13[2-9]+", "49" },
  { "8", "350 356 357 370 371 373 374 386 389" },
  { "9[6] 5-11+", "352" },
  { "9[8] 7-9+", "353" },
  { "9[6] 8 6-7+", "355" },
  { "9-10[45] 5-12+", "358" },
  { "9[89] 8[4] 7-8+", "359" },
  { "9", "375" },
  { "6[3-8] 8-9+", "376" },
  { "8[49] 9[36] 8-9+", "377" },
  { "10[0][1-9] 8[6] 6-10+", "378" },
  { "8-9[6] 8-9 7+ 10+", "381" },
  { "8[2-6] 9+", "382" },
  { "8[2-4] 8-9+", "383" },
  { "8-9", "385 387" },
  { "8[49] 8+", "47" },
  { "7[678] 7+ 9+", "354" },
  { "7-8[58] 7-8+", "372" },
  { "7[67] 7+ 9[6]", "423" },
  -- Latin America
  { "5", "500" },
  { "8", "502 503 504 505 506 509" },
  { "6[45] 9", "508" },
  { "10[2-9] 11[1]", "52" },
  { "8[56] 6-8+", "53" },
  { "10[1-3] 11[9]", "54" },
  { "11[1-9][1-9]9 10[1-9][1-9][2-9]", "55" },
  { "9[2-9]", "56" },
  { "10[36] 10+", "57" },
  { "10[24] 10+", "58" },
  { "9", "590 594 596" },
  { "8[2-7] 8+", "591" },
  { "9[9] 8[2-7] 8-9+", "593" },
  { "9 7-8+", "595" },
  { "8[249] 8+", "598" },
  { "7[5-79] 7+", "297" },
  { "7[6] 7+", "501" },
  { "8[6] 7-8+", "507" },
  { "7[67] 7+", "592" },
  { "7[678] 6-7+", "597" },
  { "8[9] 7[347] 7-8+", "599" },
  { "9[9] 8-9+", "51" },
  -- Asia and the Pacific
  { "9-10[1] 9[3] 8[4-9]+ 9+", "60" },
  { "9[2-478] 9+", "61" },
  { "9-12[8] 9-10[2-79] 7-11[2-79]+", "62" },
  { "10[89] 9[2-8] 8+ 10+", "63" },
  { "8-10[2] 8[3-9]+", "64" },
  { "9[689] 8+", "66" },
  { "10[5-9] 9 10+", "81" },
  { "9-10[1] 9[2-6] 10[57] 8+", "82" },
  { "9[35-9] 10[2] 9+", "84" },
  { "11[1][3-9] 10-11[2-9] 10[1]0", "86" },
  { "10[2-58] 10+", "90" },
  { "10", "91 98" },
  { "9-10", "92" },
  { "9", "93 94 886 992 994 995 996 998" },
  { "8-10[9] 7-9[1-8]+ 7[9]+", "95" },
  { "6", "298 299 672 687" },
  { "6 9", "681" },
  { "5", "682" },
  { "8 5", "686" },
  { "8[48] 6+ 8+", "689" },
  { "10[1] 8", "850" },
  { "8[2-9]", "852 853" },
  { "8-9", "855 962 963 972" },
  { "10[2] 8-9", "856" },
  { "10[1] 6-10[2-9]+", "880" },
  { "8+", "886" },
  { "10[7] 8-9+", "964" },
  { "8", "965 968 973 974 993" },
  { "9", "966" },
  { "9[7] 7-8+", "967" },
  { "9[5] 8 9+", "970 971" },
  { "8[17] 7+", "975" },
  { "8 10+", "976" },
  { "10[9] 8+", "977" },
  { "8[89] 8+", "65" },
  { "8[7] 7+", "670 675" },
  { "7[78] 7+", "673" },
  { "7[5] 7+", "674" },
  { "7[78] 5+ 7+", "676 677" },
  { "7[57] 5+ 7+", "678" },
  { "7[2789] 7+", "679" },
  { "7[4678] 7+", "680" },
  { "7[8] 4+ 7+", "683" },
  { "7[78] 5-7+ 10+", "685" },
  { "6[79] 7[79] 5-7+", "688" },
  { "4-5 6-7+", "690" },
  { "7[39] 7+", "691" },
  { "7[2-6] 7+", "692" },
  { "7[79] 7+", "960" },
  { "8[78] 7[3] 7-8+", "961" },
}

-- In all other countries it is 0. In those with "" a 0 in front belongs to the number, or there is none.
local trunks = {
  [""] = [[1 30 34 39 45 47 48 52 56 65 216 220 221 222 223 224 225 226 227 228 229 230 235 236 237 238 239 240 241 242 244 245
    246 247 248 253 257 258 266 267 268 269 290 297 298 299 350 351 352 354 356 357 371 372 376 378 420 500 501 502 503 504 505
    506 507 509 592 597 599 670 672 673 674 675 676 677 678 679 680 681 682 683 685 687 688 689 690 691 692 852 853 960 965 968
    973 974 975 992 998]],
  ["8"] = "7 993",
  ["80"] = "375",
  ["06"] = "36",
}

local is_bare = { ["55"] = true, ["86"] = true }

local function read_lengths(text, into)
  for part in text:gmatch "%S+" do
    local from, to, first = part:match "^(%d+)%-?(%d*)(.-)%+?$"
    table.insert(into, {
      from = math.tointeger(from),
      to = math.tointeger(to ~= "" and to or from),
      first = "^" .. (first ~= "" and first or "[1-9]"),
      is_explicit_only = part:find "%+$" ~= nil,
    })
  end
end

local function read()
  local by_code = {}
  for _, group in ipairs(lengths) do
    for code in group[2]:gmatch "%d+" do
      by_code[code] = by_code[code] or { code = code, lengths = {}, trunk = "0", is_bare = is_bare[code] }
      read_lengths(group[1], by_code[code].lengths)
    end
  end
  for trunk, codes in pairs(trunks) do
    for code in codes:gmatch "%d+" do
      by_code[code].trunk = trunk ~= "" and trunk or nil
    end
  end
  return by_code
end

---@type table<string, cunnekt.number_plan> made on first use: most programs send in answer only
local by_code

---The plan of a country calling code.
---@param code string "91"
---@return cunnekt.number_plan? plan nil: there is no such code
function plans.of(code)
  by_code = by_code or read()
  return by_code[code]
end

---The plan of a number that begins with its country code. No code is the beginning of another one.
---@param digits string
---@return cunnekt.number_plan? plan nil: there is no such code
---@return string national what follows the code
function plans.find(digits)
  for size = 1, 3 do
    local plan = plans.of(digits:sub(1, size))
    if plan then
      return plan, digits:sub(size + 1)
    end
  end
  return nil, digits
end

---Whether a plan has numbers like this one.
---@param plan cunnekt.number_plan
---@param national string digits behind the country code
---@param is_explicit? boolean the writer said which country it is
---@return boolean
function plans.fits(plan, national, is_explicit)
  for _, length in ipairs(plan.lengths) do
    local is_believed = is_explicit or not length.is_explicit_only
    if is_believed and #national >= length.from and #national <= length.to and national:find(length.first) then
      return true
    end
  end
  return false
end

---All country calling codes, sorted.
---@return string[]
function plans.codes()
  local codes = {}
  by_code = by_code or read()
  for code in pairs(by_code) do
    codes[#codes + 1] = code
  end
  table.sort(codes)
  return codes
end

---The fewest and the most digits behind a code, for messages.
---@param plan cunnekt.number_plan
---@return integer least
---@return integer most
function plans.range(plan)
  local least, most = math.huge, 0
  for _, length in ipairs(plan.lengths) do
    least, most = math.min(least, length.from), math.max(most, length.to)
  end
  return least, most
end

return plans
