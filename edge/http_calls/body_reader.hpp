#pragma once
// Reads the body of one request, with a Content-Length or chunked. Beast decodes the chunks. Pure; safe on any input.

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/http/request_head.hpp"

namespace nuropb::edge {

class BodyReader {
 public:
  enum class What : std::uint8_t { incomplete, complete, too_large, malformed };

  /// `most`: bytes of the largest body.
  BodyReader(const RequestHead& head, std::uint64_t most);

  /// Takes the bytes of the body from the front of `received`, and leaves what follows the body.
  What take(std::string& received);
  [[nodiscard]] std::size_t size() const;
  /// Once it is complete.
  std::string body();

 private:
  using Chunks = boost::beast::http::request_parser<boost::beast::http::string_body>;

  std::uint64_t left_;  // bytes of a body with a length
  std::string body_;
  std::unique_ptr<Chunks> chunks_;  // null: the body has a length
  bool last_chunk_ = false;         // the line of the last chunk has arrived, and not yet what follows it
};

}  // namespace nuropb::edge
