// The scanner: one loop over the tokens with one bit per nesting level; no recursion and no allocation.

#include "common/json/scan.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

#include "common/json/plain_ascii.hpp"

namespace nuropb::json {
namespace {

// Size of the bit stack; a larger Limits::max_depth is reduced to this.
constexpr std::size_t depth_bound = 1024;
// Nesting of requested members; deeper ones are never found.
constexpr std::size_t tracked_levels = 8;

bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }

void clear(std::span<Field> fields) {
  for (Field& field : fields) {
    field.value = {};
    if (!field.members.empty()) clear(field.members);
  }
}

/// Length of the UTF-8 sequence at `p`, or 0 if it is invalid (RFC 3629: no overlong forms, no surrogates, at most
/// U+10FFFF).
std::size_t utf8_length(const unsigned char* p, const unsigned char* end) {
  const auto continuation = [&](std::size_t i) { return p + i < end && (p[i] & 0xc0) == 0x80; };
  const unsigned char c = *p;
  if (c >= 0xc2 && c <= 0xdf) return continuation(1) ? 2 : 0;
  if (c >= 0xe0 && c <= 0xef) {
    if (!continuation(1) || !continuation(2)) return 0;
    if (c == 0xe0 && p[1] < 0xa0) return 0;
    if (c == 0xed && p[1] > 0x9f) return 0;
    return 3;
  }
  if (c >= 0xf0 && c <= 0xf4) {
    if (!continuation(1) || !continuation(2) || !continuation(3)) return 0;
    if (c == 0xf0 && p[1] < 0x90) return 0;
    if (c == 0xf4 && p[1] > 0x8f) return 0;
    return 4;
  }
  return 0;
}

class Scanner {
 public:
  Scanner(std::string_view text, std::span<Field> fields, Limits limits)
      : begin_(reinterpret_cast<const unsigned char*>(text.data())),
        at_(begin_),
        end_(begin_ + text.size()),
        max_depth_(std::min(limits.max_depth, depth_bound)),
        max_number_(limits.max_number),
        top_(fields) {}

  /// Everything is inlined into this one function; otherwise the state would go to memory and back with every token.
  [[gnu::flatten, gnu::noinline]] std::optional<Problem> run(Slice* root) {
    const Kind kind = kind_of(next());
    const unsigned char* const start = at_;
    if (!document()) return Problem{static_cast<std::size_t>(at_ - begin_), what_};
    const unsigned char* const stop = at_;
    next();
    if (at_ != end_) return Problem{static_cast<std::size_t>(at_ - begin_), "Extra data"};
    if (root) *root = {kind, view(start, stop)};
    return {};
  }

 private:
  /// Scans the whole value. Each iteration of the outer loop begins a value, each iteration of the inner one ends one.
  bool document() {
    for (;;) {
      const unsigned char first = next();
      if (first == '{' || first == '[') {
        if (!open()) return false;
        if (next() != closing()) {
          if (in_object_ && !member_name()) return false;
          continue;
        }
        if (close()) return true;
      } else {
        if (!scalar(first)) return false;
        if (depth_ == 0) return true;
      }
      for (;;) {
        const unsigned char then = next();
        if (then == ',') break;
        if (then != closing()) return fail("Expecting ',' delimiter");
        if (close()) return true;
      }
      ++at_;
      if (in_object_ && !member_name()) return false;
    }
  }

  bool open() {
    if (depth_ >= max_depth_) return fail("Nested too deeply");
    const bool object = *at_ == '{';
    // Members are matched in the top-level object, and in a requested member that has requested members of its own.
    if (object && levels_ == depth_ && levels_ < tracked_levels &&
        (depth_ == 0 || (pending_ && !pending_->members.empty()))) {
      tracked_[levels_++] = {depth_ > 0 ? pending_->members : top_, 0};
    }
    if (depth_ < owner_.size()) {
      owner_[depth_] = pending_;
      start_[depth_] = at_;
    }
    pending_ = nullptr;
    const std::uint64_t bit = std::uint64_t{1} << (depth_ % 64);
    std::uint64_t& word = objects_[depth_ / 64];
    if (depth_++ % 64 == 0) word = 0;
    word = object ? word | bit : word & ~bit;
    in_object_ = object;
    ++at_;
    return true;
  }

  /// Returns true if this was the end of the document.
  bool close() {
    ++at_;
    const Kind kind = in_object_ ? Kind::object : Kind::array;
    --depth_;
    if (levels_ > depth_) levels_ = depth_;
    if (depth_ < owner_.size() && owner_[depth_]) owner_[depth_]->value = {kind, view(start_[depth_], at_)};
    if (depth_ == 0) return true;
    in_object_ = objects_[(depth_ - 1) / 64] >> ((depth_ - 1) % 64) & 1;
    return false;
  }

  /// The character that closes the innermost open array or object.
  [[nodiscard]] unsigned char closing() const { return in_object_ ? '}' : ']'; }

  bool member_name() {
    if (next() != '"') return fail("Expecting property name enclosed in double quotes");
    const unsigned char* const start = at_;
    if (!string()) return false;
    if (levels_ == depth_) {
      pending_ = wanted(view(start, at_), tracked_[levels_ - 1]);
      // If a name occurs twice the last one wins entirely, so members found inside the earlier one are cleared.
      if (pending_ && pending_->value.present()) clear({pending_, 1});
    }
    if (next() != ':') return fail("Expecting ':' delimiter");
    ++at_;
    return true;
  }

  /// The requested fields of an open object. Senders mostly use our order, so the next field is compared first.
  struct Wanted {
    std::span<Field> fields;
    std::size_t next;
  };

  Field* wanted(std::string_view quoted_name, Wanted& among) const {
    const Slice slice{Kind::string, quoted_name};
    if (escaped_) return named_with_escapes(slice, among);
    return named(plain(slice), among);
  }

  [[gnu::noinline]] static Field* named_with_escapes(Slice name, Wanted& among) { return named(unescape(name), among); }

  static Field* named(std::string_view name, Wanted& among) {
    const std::size_t count = among.fields.size();
    for (std::size_t i = 0, at = among.next; i < count; ++i, ++at) {
      if (at >= count) at = 0;
      if (among.fields[at].name != name) continue;
      among.next = at + 1;
      return &among.fields[at];
    }
    return nullptr;
  }

  bool scalar(unsigned char first) {
    Field* const owner = std::exchange(pending_, nullptr);
    const unsigned char* const start = at_;
    Kind kind = Kind::absent;
    bool ok = false;
    switch (first) {
      case '"': kind = Kind::string, ok = string(); break;
      case 't': kind = Kind::boolean, ok = literal("true"); break;
      case 'f': kind = Kind::boolean, ok = literal("false"); break;
      case 'n': kind = Kind::null, ok = literal("null"); break;
      default: kind = Kind::number, ok = number();
    }
    if (ok && owner) owner->value = {kind, view(start, at_)};
    return ok;
  }

  static Kind kind_of(unsigned char first) {
    switch (first) {
      case '{': return Kind::object;
      case '[': return Kind::array;
      case '"': return Kind::string;
      case 't':
      case 'f': return Kind::boolean;
      case 'n': return Kind::null;
      default: return first == '-' || is_digit(first) ? Kind::number : Kind::absent;
    }
  }

  bool literal(std::string_view word) {
    if (static_cast<std::size_t>(end_ - at_) < word.size() || std::memcmp(at_, word.data(), word.size()) != 0)
      return fail("Expecting value");
    at_ += word.size();
    return true;
  }

  bool number() {
    const unsigned char* const start = at_;
    if (!digits()) return false;
    if (static_cast<std::size_t>(at_ - start) <= max_number_) return true;
    at_ = start;
    return fail("Number too long");
  }

  bool digits() {
    if (at_ < end_ && *at_ == '-') ++at_;
    if (at_ == end_ || !is_digit(*at_)) return fail("Expecting value");
    if (*at_ == '0') ++at_;
    else skip_digits();
    if (at_ < end_ && *at_ == '.') {
      ++at_;
      if (at_ == end_ || !is_digit(*at_)) return fail("Expecting a digit after the decimal point");
      skip_digits();
    }
    if (at_ < end_ && (*at_ == 'e' || *at_ == 'E')) {
      ++at_;
      if (at_ < end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      if (at_ == end_ || !is_digit(*at_)) return fail("Expecting a digit in the exponent");
      skip_digits();
    }
    return true;
  }

  void skip_digits() {
    while (at_ < end_ && is_digit(*at_)) ++at_;
  }

  bool string() {
    escaped_ = false;
    ++at_;
    for (;;) {
      at_ += plain_ascii(view(at_, end_));  // most of the string
      if (at_ == end_) return fail("Unterminated string");
      const unsigned char c = *at_;
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c == '\\') {
        if (!escape()) return false;
      } else if (c < 0x20) {
        return fail("Invalid control character");
      } else if (c >= 0x80) {
        const std::size_t length = utf8_length(at_, end_);
        if (length == 0) return fail("Not UTF-8");
        at_ += length;
      } else {
        ++at_;
      }
    }
  }

  bool escape() {
    escaped_ = true;
    ++at_;
    if (at_ == end_) return fail("Unterminated string");
    switch (*at_) {
      case '"':
      case '\\':
      case '/':
      case 'b':
      case 'f':
      case 'n':
      case 'r':
      case 't': ++at_; return true;
      case 'u': break;
      default: return fail("Invalid \\escape");
    }
    ++at_;
    for (int i = 0; i < 4; ++i, ++at_) {
      const bool hex = at_ < end_ && (is_digit(*at_) || (*at_ >= 'a' && *at_ <= 'f') || (*at_ >= 'A' && *at_ <= 'F'));
      if (!hex) return fail("Invalid \\uXXXX escape");
    }
    return true;
  }

  /// Advances to the next token. Returns 0 at the end, which no caller accepts as a token.
  unsigned char next() {
    for (; at_ < end_; ++at_) {
      const unsigned char c = *at_;
      if (c > ' ' || (c != ' ' && c != '\n' && c != '\r' && c != '\t')) return c;
    }
    return '\0';
  }

  bool fail(const char* what) {
    what_ = what;
    return false;
  }

  static std::string_view view(const unsigned char* from, const unsigned char* to) {
    return {reinterpret_cast<const char*>(from), static_cast<std::size_t>(to - from)};
  }

  const unsigned char* begin_;
  const unsigned char* at_;
  const unsigned char* end_;
  std::size_t max_depth_;
  std::size_t max_number_;
  std::size_t depth_ = 0;  // open arrays and objects
  // How many of the outermost levels have requested members.
  std::size_t levels_ = 0;
  bool in_object_ = false;    // the innermost open value is an object, not an array
  bool escaped_ = false;      // the last string had escapes
  Field* pending_ = nullptr;  // the field that the next value belongs to
  std::span<Field> top_;      // requested members of the top-level object
  // Indexed by depth and initialized on use, because clearing half a kilobyte would dominate a short scan.
  std::array<std::uint64_t, depth_bound / 64> objects_;  // one bit per level: an object, not an array
  std::array<Wanted, tracked_levels> tracked_;
  std::array<Field*, tracked_levels + 1> owner_;  // the field that gets the array or object open at that depth
  std::array<const unsigned char*, tracked_levels + 1> start_;
  const char* what_ = "";
};

}  // namespace

std::optional<Problem> validate(std::string_view text, Slice* root, Limits limits) {
  return Scanner(text, {}, limits).run(root);
}

std::optional<Problem> scan(std::string_view text, std::span<Field> fields, Slice* root, Limits limits) {
  clear(fields);
  return Scanner(text, fields, limits).run(root);
}

}  // namespace nuropb::json
