-- SPDX-License-Identifier: MIT
-- Finds which of the expected lines came, which did not, and what came besides: the longest common sequence of two lists.

-- Above so many cells the lists are compared line by line.
local max_cells = 1000000

local function lengths(left, right, fits)
  local n, m = #left, #right
  local length = {}
  for i = n + 1, 1, -1 do
    length[i] = {}
    for j = m + 1, 1, -1 do
      if i > n or j > m then
        length[i][j] = 0
      elseif fits[i][j] then
        length[i][j] = length[i + 1][j + 1] + 1
      else
        length[i][j] = math.max(length[i + 1][j], length[i][j + 1])
      end
    end
  end
  return length
end

local function compare_all(left, right, is_equal)
  local fits = {}
  for i, one in ipairs(left) do
    fits[i] = {}
    for j, other in ipairs(right) do
      fits[i][j] = is_equal(one, other)
    end
  end
  return fits
end

-- Lines that fit nothing are put beside each other.
local function add_rest(pairs_of, left, right)
  for k = 1, math.max(#left, #right) do
    pairs_of[#pairs_of + 1] = { left[k] or false, right[k] or false }
  end
  return {}, {}
end

---@param left any[]
---@param right any[]
---@param is_equal fun(one: any, other: any): boolean
---@return {[1]: any, [2]: any, is_equal: boolean?}[] pairs in order; false for a side that has none
return function(left, right, is_equal)
  local pairs_of = {}
  if #left * #right > max_cells then
    add_rest(pairs_of, left, right)
    return pairs_of
  end
  local fits = compare_all(left, right, is_equal)
  local length = lengths(left, right, fits)
  local i, j, some, other = 1, 1, {}, {}
  while i <= #left or j <= #right do
    if i <= #left and j <= #right and fits[i][j] and length[i][j] == length[i + 1][j + 1] + 1 then
      some, other = add_rest(pairs_of, some, other)
      pairs_of[#pairs_of + 1] = { left[i], right[j], is_equal = true }
      i, j = i + 1, j + 1
    elseif j > #right or (i <= #left and length[i + 1][j] >= length[i][j + 1]) then
      some[#some + 1], i = left[i], i + 1
    else
      other[#other + 1], j = right[j], j + 1
    end
  end
  add_rest(pairs_of, some, other)
  return pairs_of
end
