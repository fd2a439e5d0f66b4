#include "meshd/stored_identity.hpp"

#include <array>
#include <cstring>

namespace nuropb::meshd {
namespace {

std::uint32_t number_at(const char* at) {
  std::uint32_t out = 0;
  std::memcpy(&out, at, sizeof out);
  return out;
}

}  // namespace

StoredIdentity::StoredIdentity(const Identity& identity) : expires_(identity.expires) {
  std::string roles;
  for (const std::string& role : identity.roles) {
    const auto size = static_cast<std::uint32_t>(role.size());
    roles.append(reinterpret_cast<const char*>(&size), sizeof size).append(role);
  }
  const std::array<std::string_view, parts> texts{identity.user_id, identity.username,   identity.token,
                                                  identity.claims,  identity.authorizer, roles};
  std::size_t size = parts * sizeof(std::uint32_t);
  for (const std::string_view one : texts) size += one.size();
  memory_ = std::make_unique_for_overwrite<char[]>(size);
  char* at = memory_.get() + parts * sizeof(std::uint32_t);
  for (unsigned part = 0; part < parts; ++part) {
    if (!texts[part].empty()) std::memcpy(at, texts[part].data(), texts[part].size());
    at += texts[part].size();
    const auto end = static_cast<std::uint32_t>(at - memory_.get());
    std::memcpy(memory_.get() + part * sizeof end, &end, sizeof end);
  }
}

std::string_view StoredIdentity::text(Part part) const {
  if (!memory_) return {};
  const char* const ends = memory_.get();
  const std::uint32_t begin =
      part == 0 ? parts * sizeof(std::uint32_t) : number_at(ends + (part - 1) * sizeof(std::uint32_t));
  return {memory_.get() + begin, number_at(ends + part * sizeof(std::uint32_t)) - begin};
}

Identity StoredIdentity::unpack() const {
  Identity out{
      std::string(user_id()),        std::string(username()), std::string(token()), {}, std::string(claims()), expires_,
      std::string(text(authorizer_))};
  for (std::string_view rest = text(roles_); !rest.empty();) {
    const std::uint32_t size = number_at(rest.data());
    out.roles.emplace_back(rest.substr(sizeof size, size));
    rest.remove_prefix(sizeof size + size);
  }
  return out;
}

}  // namespace nuropb::meshd
