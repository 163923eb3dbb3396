-- SPDX-License-Identifier: MIT
-- Bars as SVG, in groups that each have their own scale. Readable on a light and on a dark page.
local chart = {}

local width, left, right, bar, gap, head = 760, 150, 80, 20, 8, 30

local function escape(text)
  return (text:gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }))
end

local function thousands(value)
  local text = ("%.0f"):format(value)
  repeat
    local count
    text, count = text:gsub("^(%d+)(%d%d%d)", "%1,%2")
  until count == 0
  return text
end

local function add_group(out, group, y)
  out[#out + 1] = ('<text x="8" y="%d" class="title">%s</text>'):format(y + 18, escape(group.title))
  y = y + head
  local most = 0
  for _, one in ipairs(group) do
    most = math.max(most, one.value or 0)
  end
  for _, one in ipairs(group) do
    local long = most > 0 and (one.value or 0) / most * (width - left - right) or 0
    out[#out + 1] = ('<text x="%d" y="%d" text-anchor="end">%s</text>'):format(left - 8, y + 15, escape(one.name))
    out[#out + 1] = ('<rect x="%d" y="%d" width="%.1f" height="%d" rx="2" class="%s"/>'):format(
      left, y, math.max(1, long), bar, one.is_ours and "ours" or "other")
    out[#out + 1] = ('<text x="%.1f" y="%d">%s</text>'):format(left + long + 6, y + 15, thousands(one.value or 0))
    y = y + bar + gap
  end
  return y + gap
end

---@param groups table[] each {title=, {name=, value=, is_ours=} …}
---@return string svg
function chart.bars(groups)
  local out, y = {}, 8
  for _, group in ipairs(groups) do
    y = add_group(out, group, y)
  end
  local style = "text{font:13px sans-serif;fill:#555}.title{font-weight:bold}.ours{fill:#1a7f5a}.other{fill:#9aa3ad}"
    .. "@media (prefers-color-scheme:dark){text{fill:#c9d1d9}}"
  return ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">\n<style>%s</style>\n%s\n</svg>\n')
    :format(width, y, width, y, style, table.concat(out, "\n"))
end

return chart
