#include "meshd/amqp/frames.hpp"

#include <algorithm>
#include <cstring>

namespace nuropb::amqp {
namespace {

constexpr std::size_t head = 7, around = 8;       // type, channel, size; and the final octet
constexpr std::size_t largest_method = 1024;      // of the methods sent here: names of at most 255 bytes
constexpr std::size_t largest_properties = 8192;  // guaranteed by Connection::publishable()

template <class Number>
void put(char* at, Number value) {
  for (std::size_t i = 0; i < sizeof value; ++i) at[i] = static_cast<char>(value >> (8 * (sizeof value - 1 - i)));
}

}  // namespace

/// Returns where to write `size` bytes after the existing content.
char* Frames::room(std::size_t size) {
  if (buffer_.size() < used_ + size) buffer_.resize(std::max(used_ + size, 2 * buffer_.size()));
  return buffer_.data() + used_;
}

/// Writes the frame's header and end around a payload that is already in the buffer.
void Frames::close(std::size_t begin, char type, std::uint16_t channel, std::size_t payload) {
  char* const at = buffer_.data() + begin;
  at[0] = type;
  put(at + 1, channel);
  put(at + 3, static_cast<std::uint32_t>(payload));
  at[head + payload] = static_cast<char>(AMQP_FRAME_END);
  used_ = begin + around + payload;
}

bool Frames::method(std::uint16_t channel, amqp_method_number_t id, void* decoded) {
  char* const at = room(around + 4 + largest_method);
  put(at + head, static_cast<std::uint32_t>(id));
  const int size = amqp_encode_method(id, decoded, {largest_method, at + head + 4});
  if (size < 0) return false;
  close(used_, AMQP_FRAME_METHOD, channel, 4 + static_cast<std::size_t>(size));
  return true;
}

bool Frames::header(std::uint16_t channel, const amqp_basic_properties_t& properties, std::uint64_t body_size) {
  constexpr std::size_t fixed = 12;
  char* const at = room(around + fixed + largest_properties) + head;
  put(at, static_cast<std::uint16_t>(AMQP_BASIC_CLASS));
  put(at + 2, std::uint16_t{0});
  put(at + 4, body_size);
  const int size = amqp_encode_properties(AMQP_BASIC_CLASS, const_cast<amqp_basic_properties_t*>(&properties),
                                          {largest_properties, at + fixed});
  if (size < 0) return false;
  close(used_, AMQP_FRAME_HEADER, channel, fixed + static_cast<std::size_t>(size));
  return true;
}

bool Frames::publish(std::uint16_t channel, amqp_basic_publish_t publish, const amqp_basic_properties_t& properties,
                     std::string_view body) {
  const std::size_t before = used_;
  if (!method(channel, AMQP_BASIC_PUBLISH_METHOD, &publish) || !header(channel, properties, body.size())) {
    used_ = before;
    return false;
  }
  for (std::size_t gone = 0; gone < body.size();) {
    const std::string_view part = body.substr(gone, frame_max_ - around);
    std::memcpy(room(around + part.size()) + head, part.data(), part.size());
    close(used_, AMQP_FRAME_BODY, channel, part.size());
    gone += part.size();
  }
  return true;
}

}  // namespace nuropb::amqp
