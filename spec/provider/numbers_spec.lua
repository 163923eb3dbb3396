-- SPDX-License-Identifier: MIT
-- Numbers as people and spreadsheets write them. "919876543210.0", which a spreadsheet makes of a number, once became
-- 9198765432100, and ten digits without a country code went to whichever country their first digits name.

local identity = require "cunnekt.provider.identity"
local plans = require "cunnekt.provider.number_plans"

local function read(to, default_country)
  local digits, err = identity.normalise(to, { default_country = default_country })
  return digits or err.message
end

describe("a number is taken", function()
  local whole = "919876543210"

  local function all_are(expected, texts, default_country)
    for _, text in ipairs(texts) do
      assert.are.same({ text, expected }, { text, read(text, default_country) })
    end
  end

  it("with blanks, dashes, dots, slashes and brackets of any kind", function()
    all_are(whole, {
      "919876543210", "+919876543210", "00919876543210", "+91 98765 43210", "+91-98765-43210", "+91.98765.43210", "+91/98765/43210",
      "(+91) 98765 43210", "+91 (98765) 43210", "\t+91 98765 43210\r\n", "+91\u{A0}98765\u{A0}43210", "+91\u{202F}98765\u{2007}43210",
      "+91\u{2009}98765\u{3000}43210", "+91\u{2010}98765\u{2011}43210", "+91\u{2012}98765\u{2013}43210", "+91\u{2014}98765\u{2015}43210",
      "+91\u{2212}98765\u{FF0D}43210", "\u{FF0B}91\u{FF08}98765\u{FF09}43210", "+91\u{FF0F}98765\u{FF0E}43210",
    })
  end)

  it("with marks that nobody sees", function()
    all_are(whole, {
      "\u{FEFF}919876543210", "\u{202A}+919876543210\u{202C}", "\u{200E}+91 98765 43210\u{200F}", "\u{2066}+919876543210\u{2069}",
      "91\u{200B}98765\u{AD}43210", "\u{61C}919876543210", "'919876543210",
    })
  end)

  it("with the decimal digits of any script", function()
    all_are(whole, {
      "９１９８７６５４３２１０", "٩١٩٨٧٦٥٤٣٢١٠", "۹۱۹۸۷۶۵۴۳۲۱۰", "+९१ ९८७६५ ४३२१०", "৯১৯৮৭৬৫৪৩২১০", "๙๑๙๘๗๖๕๔๓๒๑๐", "+91 ٩٨٧٦٥ ४३२१०",
      "𝟗𝟏𝟗𝟖𝟕𝟔𝟓𝟒𝟑𝟐𝟏𝟎",
    })
  end)

  it("as spreadsheets and programs write it", function()
    all_are(whole, { "919876543210.0", "919876543210,0", "919876543210.00", "+919876543210.0", " 919876543210.0 " })
    all_are(whole, { 919876543210, 919876543210.0, 9.1987654321e11 })
  end)

  it("out of links", function()
    all_are(whole, {
      "tel:+919876543210", "TEL:+91-98765-43210", "wa.me/919876543210", "https://wa.me/919876543210", "HTTP://WA.ME/919876543210/",
      "https://wa.me/+919876543210?text=hi%20%2B%20bye", "https://wa.me/919876543210#x",
      "https://api.whatsapp.com/send?phone=919876543210", "https://api.whatsapp.com/send/?text=12345678&phone=%2B91%2098765-43210",
      "https://web.whatsapp.com/send?phone=919876543210&text=a", "whatsapp://send?phone=919876543210",
    })
    all_are(whole, { "https://wa.me/919876543210?text=" .. ("a"):rep(2000) })
  end)

  it("with the 0 for calls within the country", function()
    all_are("4915112345678", { "+49 (0) 151 12345678", "+49(0)151/12345678", "0049 (0)151 12345678", "49 (0)151 12345678", "+49 0151 12345678" })
    all_are("442071234567", { "+44 (0)20 7123 4567", "(+44) (0)20 7123 4567" })
    all_are("390612345678", { "+39 06 1234 5678", "+39 (06) 1234 5678" }) -- Italy keeps it
    all_are("2250123456789", { "+225 01 23 45 67 89", "2250123456789" }) -- and Côte d'Ivoire
  end)

  it("without its country code, when there is a default", function()
    local national = {
      ["91"] = { "9876543210", "098765 43210", "98765-43210", 9876543210, "(0)98765 43210" },
      ["+49"] = { "0151 12345678", "0049 151 12345678", "4915112345678", "+49 151 12345678" },
      ["44"] = { "07911 123456", "7911123456" },
      ["39"] = { "340 123 4567" },
      ["7"] = { "8 (916) 123-45-67", "916 123 45 67" },
      ["36"] = { "06 20 123 4567" },
      ["375"] = { "8 029 491-19-11" },
      ["54"] = { "011 15 2345-6789", "11 15 2345-6789", "9 11 2345-6789" },
      ["55"] = { "(11) 98765-4321", "011 98765-4321", "5511987654321" },
      ["86"] = { "138 1234 5678" },
      ["1"] = { "(415) 555-0100", "1-415-555-0100" },
    }
    local wanted = {
      ["91"] = "919876543210", ["+49"] = "4915112345678", ["44"] = "447911123456", ["39"] = "393401234567", ["7"] = "79161234567",
      ["36"] = "36201234567", ["375"] = "375294911911", ["54"] = "5491123456789", ["55"] = "5511987654321", ["86"] = "8613812345678",
      ["1"] = "14155550100",
    }
    for country, texts in pairs(national) do
      all_are(wanted[country], texts, country)
    end
    all_are("390612345678", { "06 1234 5678" }, 39)
  end)

  it("with what people dial at home in front of it, where the length tells", function()
    all_are("5491123456789", {
      "+54 9 11 15-2345-6789", "+54 9 11 15 2345 6789", "0054 9 11 15 2345-6789", "+54 (0)11 15 2345-6789", "+54 011 15 2345-6789",
    })
    all_are("5491123456789", { "9 11 15-2345-6789", "011 15-2345-6789", "+54 9 11 15-2345-6789" }, "54")
    all_are("5492231234567", { "+54 9 223 15 123-4567", "+54 223 15 123-4567" })
    all_are("5492966412345", { "+54 9 2966 15 41-2345" })
    all_are("5511987654321", {
      "+55 0xx11 98765-4321", "+55 (0XX11) 98765-4321", "+55 (0xx 11) 98765-4321", "0055 (0xx11) 98765-4321", "+55 0 21 11 98765-4321",
      "+55 (0)11 98765-4321", "+55 011 98765-4321",
    })
    all_are("5511987654321", { "0xx11 98765-4321", "(0xx11) 98765-4321", "0 21 11 98765-4321", "0 (15) 11 98765-4321", "+55 0xx11 98765-4321" }, "55")
    all_are("551123456789", { "0xx11 2345-6789", "011 2345-6789" }, "55")
    all_are("525512345678", { "+52 044 55 1234 5678", "+52 (045) 55 1234 5678", "+52 01 55 1234 5678" })
    all_are("525512345678", { "044 55 1234 5678", "045 55 1234 5678", "01 55 1234 5678", "+52 55 1234 5678" }, "52")
    all_are("36201234567", { "+36 06 20 123 4567", "+36 (06) 20 123 4567" })
    all_are("442071234567", { "+44 (0) 20 7123 4567", "0044 (0)20 7123 4567", "+44 020 7123 4567" })
    all_are("390612345678", { "+39 06 1234 5678", "0039 06 1234 5678" })
    all_are("919876543210", { "011 91 98765 43210", "011-91-98765-43210" }, "1")
  end)

  it("with its country code, whatever the default", function()
    all_are("14155550100", { "+1 415 555 0100", "001 415 555 0100", "14155550100" }, "91")
    all_are("6591234567", { "+65 9123 4567", "wa.me/6591234567" }, "91")
    all_are("6591234567", { "6591234567" })
  end)
end)

describe("a number is refused, with the reason,", function()
  local function all_say(pattern, texts, default_country)
    for _, text in ipairs(texts) do
      local digits, err = identity.normalise(text, { default_country = default_country })
      assert.are.same({ tostring(text), nil }, { tostring(text), digits })
      assert.matches(pattern, err.message)
      assert.are.same({ "invalid", "to" }, { err.kind, err.field })
    end
  end

  it("when a spreadsheet has shortened it", function()
    all_say("^to looks like a number that a spreadsheet has shortened", { "9.19877E+11", "9,19877E+11", "9.19877e11", "9E+11", "919877E6" })
  end)

  it("without a country code", function()
    all_say("^to lacks its country code, or some of its digits; .*set default_country", { "9876543210", "98765 43210", 9876543210, "4155550100", "91987654321" })
    all_say("^to begins with 0, so it has no country code", { "09876543210", "0151 12345678", "(0151) 12345678", "06 12 34 56 78" })
    all_say("^to is no number of the default country 91", { "98765", "98765432109" }, "91")
    all_say("^to begins with 0, and is no number of the default country", { "0415 555 0100" }, "1")
  end)

  it("when what is in front of it may as well be a digit too many", function()
    all_say("^to has 1[23] digits after its country code 54", { "+54 9 11 16-2345-6789", "+54 9 11 15-2345-678" })
    all_say("^to ", { "+54 9 41 15-2345-6789", "+54 9 11 9 2345-6789", "+54 99 11 15 2345-6789" })
    all_say("^to ", { "+55 0 21 11 2345-6789", "+55 21 11 98765-4321", "+55 0 21 11 28765-4321", "0xx11 98765-4321", "+54 0xx11 2345-6789" })
    all_say("^to ", { "0 21 11 2345-6789", "011 98765-43210" }, "55")
    all_say("^to ", { "+52 044 55 1234 567", "+52 046 55 1234 5678", "+52 044 15 1234 5678", "+52 01 1 55 1234 5678" })
    all_say("^to ", { "+7 8 431 234-56-78", "+39 (0) 6 1234 5678", "+39 0 06 1234 5678", "+36 06 06 20 123 4567" })
    all_say("^to ", { "011 91 98765", "011 1 415 555 0100", "011 999 98765 43210" }, "1")
    all_say("^to begins with 0, so it has no country code", { "011 91 98765 43210", "044 55 1234 5678" })
  end)

  it("when it may be either", function()
    all_say("^to may be a number of the default country 49 or begin with a country code", { "15112345678", "4930123456" }, "49")
  end)

  it("with an extension, letters, or signs that no number has", function()
    all_say("^to has an extension", { "+91 98765 43210 ext. 5", "+91 98765 43210 x5", "919876543210 Ext 12", "tel:+919876543210;ext=5", "919876543210#5" })
    all_say("^to is not a phone number: it has letters", { "4155-CALL-NOW", "n/a", "Asha: 919876543210", "+91 98765 4321O" })
    all_say("^to is not a phone number: it has a '*'", { "*919876543210" })
    all_say("^to has a sign that no telephone number has: its character 4", { "+91é98765 43210", "919☎876543210" })
    all_say("^to is not UTF%-8", { "\xff919876543210" })
  end)

  it("when there are two", function()
    all_say("^to holds two numbers", {
      "919876543210, 919876543211", "919876543210;919876543211", "919876543210/919876543211", "919876543210 919876543211",
      "+919876543210+919876543211", "919876543210\n919876543211", "5551234\n5551235",
    })
    all_say("^to has a '/' behind most of its digits", { "089 1234567/68", "+43 1 123456/123457", "+49 89 123456 / 789", "5551234/5551235" }, "49")
  end)

  it("when it is no whole number, or has decimals that mean something", function()
    all_say("^to is not a whole number", { 919876543210.5, -919876543210, 0 / 0, math.huge, 2.0 ^ 60 })
    all_say("^to looks like an amount", { "919876543210.5", "491511234567.50", "+4930123456.000", "+49301234.00" })
    all_say("^to ends with '.0'", { "+91 98765 43210.0" })
  end)

  it("when its length does not fit", function()
    all_say("^to has 5 digits, not 7 to 15", { "12345", "+12345" })
    all_say("^to has 16 digits, not 7 to 15", { "1234567890123456" })
    all_say("^to has 17 digits, not 7 to 15", { "+12345678901234567" })
    all_say("^to has 14 digits after its country code 49, not 6 to 13", { "+4915112345678901" })
    all_say("^to has 9 digits after its country code 91, not 10", { "+91 98765 4321" })
    all_say("^to has 11 digits after its country code 91, not 10", { "0091 98765 432109" })
    all_say("^to is no number of its country code 52", { "+52 55123456789" })
    all_say("^to begins with no country code that is in use", { "+999 9999 9999", "+210 1234567" })
    all_say("^to begins with 0, which no country code does", { "+0 98765 43210", "0000919876543210" })
    all_say("^to is empty", { "", "  ", "+", "-", "00" })
    all_say("^to is too long", { ("9"):rep(5000), ("9"):rep(20000) })
  end)

  it("when a link or a bracket leaves doubt", function()
    all_say("^to is a link without a number", { "https://wa.me/message/ABCDEF", "https://api.whatsapp.com/send?text=hi", "wa.me/" })
    all_say("^to is not a phone number: it has letters", { "https://example.com/919876543210", "https://wa.me.example.com/919876543210" })
    all_say("^to has a %(0%) whose meaning is not certain", { "+39 (0)6 1234567", "+1 (0) 415 555 0100", "12 (0) 34567890" })
    all_say("^to has a %+ between its digits", { "49+15112345678" })
  end)
end)

-- ---- every country, at random ----------------------------------------------------------------------------------------

local function random_digits(count)
  local digits = {}
  for i = 1, count do
    digits[i] = math.random(0, 9)
  end
  return table.concat(digits)
end

-- A national number as its plan has them: of those that are believed without "+" too, or of all.
local function random_national(plan, is_explicit)
  while true do
    local length = plan.lengths[math.random(#plan.lengths)]
    local national = random_digits(math.random(length.from, length.to))
    if #plan.code + #national >= 7 and #plan.code + #national <= 15 and plans.fits(plan, national, is_explicit) then
      return national
    end
  end
end

local separators = { " ", "-", ".", "\u{A0}", "\u{2011}", "\u{202F}", "\u{2212}", "  ", "\u{200E}", " - " }
local zeros = { 0x30, 0x30, 0x660, 0x6F0, 0x966, 0xFF10 }

-- The same digits, in groups and in another script. The last group is no single digit: that may be read otherwise.
local function dressed(digits)
  local zero, pieces = zeros[math.random(#zeros)], {}
  for i = 1, #digits do
    pieces[#pieces + 1] = utf8.char(zero + digits:byte(i) - 0x30)
    local is_end_like_decimals = digits:find("^0+$", i + 1)
    if i < #digits - 2 and not is_end_like_decimals and math.random() < 0.3 then
      pieces[#pieces + 1] = separators[math.random(#separators)]
    end
  end
  return table.concat(pieces)
end

-- Each makes a text of a number, and says which default goes with it; `must_be_read`: it is certain.
local writings = {
  { name = "plus", is_explicit = true, must_be_read = true, write = function(plan, national) return "+" .. dressed(plan.code .. national) end },
  { name = "00", is_explicit = true, must_be_read = true, write = function(plan, national) return dressed("00" .. plan.code .. national) end },
  { name = "tel", is_explicit = true, must_be_read = true, write = function(plan, national) return "tel:+" .. plan.code .. national end },
  { name = "link", is_explicit = true, must_be_read = true, write = function(plan, national) return "https://wa.me/" .. plan.code .. national end },
  { name = "foreign default", is_explicit = true, must_be_read = true, write = function(plan, national, other) return "+" .. plan.code .. national, other end },
  { name = "whole", must_be_read = true, write = function(plan, national) return dressed(plan.code .. national) end },
  { name = "amount", must_be_read = true, write = function(plan, national) return plan.code .. national .. ".0" end },
  { name = "Lua number", must_be_read = true, write = function(plan, national) return tonumber(plan.code .. national) + 0.0 end },
  { name = "(0)", is_explicit = true, trunk = "0", must_be_read = true, write = function(plan, national) return ("+%s (0) %s"):format(plan.code, dressed(national)) end },
  { name = "0 after +", is_explicit = true, trunk = "0", must_be_read = true, write = function(plan, national) return ("+%s 0%s"):format(plan.code, dressed(national)) end },
  { name = "trunk", is_explicit = true, must_be_read = true, write = function(plan, national) return (plan.trunk or "") .. dressed(national), plan.code end },
  { name = "trunk, no default", trunk = "0", write = function(_, national) return "0" .. dressed(national) end },
  { name = "national", write = function(plan, national) return dressed(national), plan.code end },
  { name = "whole, own default", write = function(plan, national) return dressed(plan.code .. national), plan.code end },
}

describe("a number of any country, written at random,", function()
  local codes = plans.codes()

  local function try(writing, code, count, reader)
    local taken = 0
    reader = reader or identity.normalise
    for _ = 1, count do
      local plan = plans.of(code)
      local national = random_national(plan, writing.is_explicit)
      local text, default_country = writing.write(plan, national, codes[math.random(#codes)])
      local digits, err = reader(text, { default_country = default_country })
      if digits ~= plan.code .. national and (digits or writing.must_be_read) then
        local sentence = "%s: %s of %s %s became %s"
        error(sentence:format(writing.name, text, plan.code, national, digits or err.message))
      end
      taken = taken + (digits and 1 or 0)
      assert(digits or not err.message:find(national, 1, true), "an error repeats the number")
    end
    return taken
  end

  for _, writing in ipairs(writings) do
    it("is itself or refused: " .. writing.name, function()
      math.randomseed(20261129)
      local taken = 0
      for _, code in ipairs(codes) do
        if not writing.trunk or plans.of(code).trunk == writing.trunk then
          taken = taken + try(writing, code, 8)
        end
      end
      assert(taken > 0 or writing.name == "trunk, no default", "none is taken")
    end)
  end

  -- The controls: readers with a fault, each of which some writing must show.
  local faulty = {
    ["drops whatever is no digit"] = function(text)
      return (tostring(text):gsub("%D", ""))
    end,
    ["takes all digits for a whole number"] = function(text, opts)
      local digits = tostring(text):gsub("%D", "")
      return identity.normalise(text, opts) or digits
    end,
    ["puts the default country in front of ten digits or fewer"] = function(text, opts)
      local is_short = type(text) == "string" and #text <= 10 and text:find "^%d+$" and opts.default_country
      return is_short and opts.default_country .. text or identity.normalise(text, opts)
    end,
    ["takes every point for one between digits"] = function(text, opts)
      return identity.normalise(type(text) == "string" and (text:gsub("%.", " ")) or text, opts)
    end,
  }

  for what, reader in pairs(faulty) do
    it("would become another one if the reader " .. what, function()
      math.randomseed(20261129)
      local is_caught = false
      for _, writing in ipairs(writings) do
        for _, code in ipairs(codes) do
          if not writing.trunk or plans.of(code).trunk == writing.trunk then
            local ok, problem = pcall(try, writing, code, 4, reader)
            is_caught = is_caught or not ok and problem:find " became %d+$" ~= nil
          end
        end
      end
      assert.is_true(is_caught)
    end)
  end

  it("is never taken when it is damaged", function()
    math.randomseed(20261129)
    for _, code in ipairs(codes) do
      local plan = plans.of(code)
      local number = code .. random_national(plan)
      local damaged = {
        ("%.5E"):format(tonumber(number)), number .. " ext. 5", number .. "x7", number .. "," .. number, number .. " " .. number, number .. ".5",
        number .. "a", "+" .. number .. "+" .. number, "0" .. number,
      }
      for _, text in ipairs(damaged) do
        local digits, err = identity.normalise(text)
        assert.are.same({ text, nil }, { text, digits })
        assert.is_nil(err.message:find(number, 1, true))
      end
    end
  end)
end)

describe("the country calling codes", function()
  it("are such that none is the beginning of another", function()
    for _, code in ipairs(plans.codes()) do
      local plan, national = plans.find(code .. "123")
      assert.are.same({ code, "123" }, { plan.code, national })
    end
  end)

  it("are what a default country may be", function()
    for _, value in ipairs { "91", "+91", 91, "1", "998" } do
      assert.is_string(identity.country(value))
    end
    for _, value in ipairs { "", "0", "99", "999", "IN", "091", "9 1", 9.5 } do
      assert.is_nil(identity.country(value))
    end
  end)
end)
