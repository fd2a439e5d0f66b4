#include "meshd/snorky/value.hpp"

#include <algorithm>
#include <charconv>
#include <map>

namespace nuropb::meshd::snorky {
namespace {

using json::Kind;
using json::Slice;

Kind kind_of(char first) {
  switch (first) {
    case '{': return Kind::object;
    case '[': return Kind::array;
    case '"': return Kind::string;
    case 't':
    case 'f': return Kind::boolean;
    case 'n': return Kind::null;
    default: return Kind::number;
  }
}

/// Walks over valid JSON. Only the end of the text is checked again, so that a violated precondition cannot cause reads
/// beyond it.
class Walk {
 public:
  explicit Walk(std::string_view text) : text_(text) { space(); }
  [[nodiscard]] bool end() const { return at_ >= text_.size(); }
  [[nodiscard]] char look() const { return end() ? '\0' : text_[at_]; }
  bool take(char c) {
    if (look() != c) return false;
    ++at_;
    space();
    return true;
  }
  Slice value() {
    const std::size_t from = at_;
    if (end()) return {};
    const Kind kind = kind_of(look());
    if (kind == Kind::string) {
      string();
    } else if (kind == Kind::object || kind == Kind::array) {
      std::size_t depth = 0;
      do {
        if (look() == '"') {
          string();
          continue;
        }
        if (look() == '{' || look() == '[') ++depth;
        if (look() == '}' || look() == ']') --depth;
        ++at_;
      } while (depth > 0 && !end());
    } else {
      while (!end() && std::string_view(",:]} \t\r\n").find(look()) == std::string_view::npos) ++at_;
    }
    const Slice out{kind, text_.substr(from, at_ - from)};
    space();
    return out;
  }

 private:
  void string() {
    for (++at_; !end() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    at_ = std::min(at_ + 1, text_.size());
  }
  void space() {
    while (!end() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }
  std::string_view text_;
  std::size_t at_ = 0;
};

template <class Work>
void each_member(std::string_view object, Work&& work) {
  Walk walk(object);
  walk.take('{');
  while (!walk.end() && walk.look() != '}') {
    const Slice name = walk.value();
    walk.take(':');
    const Slice value = walk.value();
    if (name.kind != Kind::string || !value.present()) return;
    work(json::unescape(name), value);
    walk.take(',');
  }
}

/// ±digits × 10^exponent, with neither leading nor trailing zeros.
void append_number(std::string& out, std::string_view raw) {
  const bool negative = raw.starts_with('-');
  std::string_view rest = raw.substr(negative ? 1 : 0);
  const auto e = rest.find_first_of("eE");
  std::int64_t exponent = 0;
  if (e != std::string_view::npos) {
    std::string_view power = rest.substr(e + 1);
    if (power.starts_with('+')) power.remove_prefix(1);
    if (power.size() > 17) {  // beyond every meaningful number: kept as written
      out += raw;
      return;
    }
    std::from_chars(power.data(), power.data() + power.size(), exponent);
    rest = rest.substr(0, e);
  }
  const auto point = rest.find('.');
  std::string digits(rest.substr(0, point));
  if (point != std::string_view::npos) {
    digits += rest.substr(point + 1);
    exponent -= static_cast<std::int64_t>(rest.size() - point - 1);
  }
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  if (digits.empty()) {
    out += '0';
    return;
  }
  const std::size_t last = digits.find_last_not_of('0');
  exponent += static_cast<std::int64_t>(digits.size() - last - 1);
  digits.resize(last + 1);
  if (negative) out += '-';
  out += digits;
  constexpr std::int64_t most_zeros = 18;
  if (exponent > 0 && exponent <= most_zeros) out.append(static_cast<std::size_t>(exponent), '0');
  else if (exponent != 0) out.append("e").append(std::to_string(exponent));
}

void append_canonical(std::string& out, Slice value) {
  switch (value.kind) {
    case Kind::object: {
      std::map<std::string, Slice> members;
      each_member(value.text, [&](std::string name, Slice member) { members[std::move(name)] = member; });
      out += '{';
      for (const auto& [name, member] : members) {
        if (out.back() != '{') out += ',';
        json::append_quoted(out, name);
        out += ':';
        append_canonical(out, member);
      }
      out += '}';
      break;
    }
    case Kind::array: {
      Walk walk(value.text);
      walk.take('[');
      out += '[';
      while (!walk.end() && walk.look() != ']') {
        append_canonical(out, walk.value());
        if (walk.take(',')) out += ',';
      }
      out += ']';
      break;
    }
    case Kind::string: json::append_quoted(out, json::unescape(value)); break;
    case Kind::number: append_number(out, value.text); break;
    default: out += value.text;
  }
}

}  // namespace

std::string canonical(std::string_view raw) {
  std::string out;
  append_canonical(out, Walk(raw).value());
  return out;
}

std::string as_text(std::string_view raw) {
  const Slice value = Walk(raw).value();
  return value.kind == Kind::string ? json::unescape(value) : canonical(raw);
}

bool bind(std::string_view params, std::initializer_list<std::pair<std::string_view, Slice*>> wanted,
          std::initializer_list<std::pair<std::string_view, Slice*>> optional) {
  const Slice whole = Walk(params).value();
  if (whole.kind != Kind::object) return false;
  for (const auto& [name, slice] : wanted) *slice = {};
  for (const auto& [name, slice] : optional) *slice = {};
  bool known = true;
  each_member(whole.text, [&](const std::string& name, Slice value) {
    const auto named = [&](const auto& one) { return one.first == name; };
    if (const auto found = std::find_if(wanted.begin(), wanted.end(), named); found != wanted.end())
      *found->second = value;
    else if (const auto further = std::find_if(optional.begin(), optional.end(), named); further != optional.end())
      *further->second = value;
    else known = false;
  });
  return known && std::all_of(wanted.begin(), wanted.end(), [](const auto& one) { return one.second->present(); });
}

bool bind(std::string_view params, std::initializer_list<std::pair<std::string_view, Slice*>> wanted) {
  return bind(params, wanted, {});
}

}  // namespace nuropb::meshd::snorky
