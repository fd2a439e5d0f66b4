// The stream of a client that speaks JSON lines: however it is split, the result is the same lines, within the limit;
// and everything that is sent to the client stays on one line.

#include <string>
#include <string_view>
#include <vector>

#include "common/json/scan.hpp"
#include "edge/protocol/client_message.hpp"
#include "edge/transport/line_reader.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;
using edge::LineReader;
using fuzz::must;

namespace {

constexpr std::size_t limit = 64;

struct Read {
  std::vector<std::string> lines;
  LineReader::Problem problem = LineReader::Problem::none;
};

/// Splits into pieces of `size` bytes.
Read read(std::string_view stream, std::size_t size) {
  Read out;
  LineReader reader(limit);
  const auto take = [&](std::string_view line) {
    must(!line.empty() && line.size() <= limit, "a line within the limit");
    must(line.find('\n') == std::string_view::npos, "one line");
    must(edge::is_utf8(line), "a line of UTF-8");
    out.lines.emplace_back(line);
    return true;
  };
  for (std::size_t at = 0; at < stream.size(); at += size) {
    out.problem = reader.feed(stream.substr(at, size), take);
    if (out.problem != LineReader::Problem::none) return out;
    must(reader.kept() <= limit + 1, "no more is kept than a line");
  }
  out.problem = reader.finish(take);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view stream(reinterpret_cast<const char*>(data), size);
  const Read whole = read(stream, stream.size() + 1);
  for (const std::size_t piece : {1, 2, 7}) {
    const Read cut = read(stream, piece);
    must(cut.lines == whole.lines && cut.problem == whole.problem, "the same lines of any pieces");
  }
  for (const std::string& line : whole.lines) (void)edge::decode_client_message(line, json::Limits{32});
  const std::string one = edge::on_one_line(stream);
  must(edge::is_on_one_line(one) && one.size() == stream.size(), "on one line");
  if (!json::validate(stream)) must(!json::validate(one), "JSON stays JSON");
  return 0;
}
