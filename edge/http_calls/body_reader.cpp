#include "edge/http_calls/body_reader.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <utility>

#include "common/http/canonical_head.hpp"

namespace nuropb::edge {
namespace {

namespace http = boost::beast::http;

constexpr std::size_t most_of_trailer = 16 * 1024;
constexpr std::size_t shortest_end = 5;  // "0\r\n\r\n"

}  // namespace

BodyReader::BodyReader(const RequestHead& head, std::uint64_t most) : left_(head.content_length) {
  if (!head.chunked) return;
  chunks_ = std::make_unique<Chunks>();
  const std::string canonical = canonical_head(head);
  chunks_->header_limit(static_cast<std::uint32_t>(canonical.size() + most_of_trailer));
  chunks_->body_limit(most);
  chunks_->eager(true);
  boost::system::error_code ignored;  // our own parser has accepted the head (common/http/README.md)
  chunks_->put(boost::asio::buffer(canonical), ignored);
}

BodyReader::What BodyReader::take(std::string& received) {
  if (!chunks_) {
    const std::size_t now = static_cast<std::size_t>(std::min<std::uint64_t>(left_, received.size()));
    body_.append(received, 0, now);
    received.erase(0, now);
    left_ -= now;
    return left_ == 0 ? What::complete : What::incomplete;
  }
  // Beast asserts that it has so many bytes when it looks at the last chunk again.
  if (received.empty() || (last_chunk_ && received.size() < shortest_end)) return What::incomplete;
  boost::system::error_code error;
  received.erase(0, chunks_->put(boost::asio::buffer(received), error));
  if (error == http::error::body_limit) return What::too_large;
  if (error && error != http::error::need_more) return What::malformed;
  if (chunks_->is_done()) return What::complete;
  // What Beast leaves is the beginning of a chunk; a complete line of size 0 is that of the last one.
  last_chunk_ = received.starts_with('0') && received.find("\r\n") != std::string::npos;
  // Of what is not body Beast keeps nothing, however long a line or the trailer becomes.
  return received.size() > most_of_trailer ? What::malformed : What::incomplete;
}

std::size_t BodyReader::size() const { return chunks_ ? chunks_->get().body().size() : body_.size(); }

std::string BodyReader::body() { return std::move(chunks_ ? chunks_->get().body() : body_); }

}  // namespace nuropb::edge
