#include "meshd/mesh/settings.hpp"

#include <algorithm>

#include "common/ids.hpp"

namespace nuropb::mesh {
namespace {

Result<TransportSettings> with_urls(std::string_view list) {
  TransportSettings out;
  out.instance_id = random_hex32();
  for (std::size_t from = 0; from <= list.size();) {
    const std::size_t comma = std::min(list.find(',', from), list.size());
    auto url = amqp::parse_url(std::string(list.substr(from, comma - from)));
    if (!url) return tl::unexpected(url.error());
    out.urls.push_back(std::move(*url));
    from = comma + 1;
  }
  return out;
}

}  // namespace

Result<TransportSettings> service_settings(std::string_view url, std::string service_name) {
  auto out = with_urls(url);
  if (!out) return out;
  if (service_name.empty()) return failure("must not be empty", "the service's name");
  out->service_name = std::move(service_name);
  return out;
}

Result<TransportSettings> client_settings(std::string_view url) {
  auto out = with_urls(url);
  if (out) out->client_only = true;
  return out;
}

}  // namespace nuropb::mesh
