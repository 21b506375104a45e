# Prints so many jobs, one to a line, as Sidekiq's client writes them: by JSON.generate, with all that it may be given.
require "json"

RANDOM = Random.new(42)
LETTERS = [*(0..0x7f).map(&:chr), *%W[é ß 漢 😀 \u2028 \u2029 \u00ff \uffff]]

def pick(choices) = choices[RANDOM.rand(choices.size)]

def text = Array.new(RANDOM.rand(8)) { pick(LETTERS) }.join.encode("UTF-8")

def number
  case RANDOM.rand(6)
  when 0 then RANDOM.rand(10**40) - 10**39
  when 1 then RANDOM.rand(-1000..1000)
  when 2 then (RANDOM.rand - 0.5) * 10**RANDOM.rand(-300..300)
  when 3 then (RANDOM.rand - 0.5) * 10**RANDOM.rand(-8..20)
  when 4 then RANDOM.rand(100).to_f * pick([1, -1])
  else 10.0**RANDOM.rand(-12..30) * pick([1, -1])
  end
end

def value(depth)
  case RANDOM.rand(depth > 4 ? 6 : 9)
  when 0 then pick([nil, true, false])
  when 1, 2 then number
  when 3..5 then text
  when 6, 7 then Array.new(RANDOM.rand(4)) { value(depth + 1) }
  else Array.new(RANDOM.rand(4)) { [text, value(depth + 1)] }.to_h
  end
end

def deep = RANDOM.rand(1..97).times.inject(1.0) { |inner, _| RANDOM.rand(2).zero? ? [inner] : { "a" => inner } }

Integer(ARGV[0]).times do
  job = { "class" => "Tested", "args" => Array.new(RANDOM.rand(3)) { RANDOM.rand(9).zero? ? deep : value(0) } }
  RANDOM.rand(8).times { job[text] = value(0) }
  puts JSON.generate(job)
end
