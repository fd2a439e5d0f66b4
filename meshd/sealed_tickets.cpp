#include "meshd/sealed_tickets.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace nuropb::meshd {
namespace {

// ticket = version (1) | nonce (12) | ciphertext | tag (16)
constexpr char version = 3;
constexpr std::size_t nonce_size = 12, tag_size = 16, overhead = 1 + nonce_size + tag_size;

using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;
const unsigned char* bytes(std::string_view s) { return reinterpret_cast<const unsigned char*>(s.data()); }
unsigned char* bytes(std::string& s) { return reinterpret_cast<unsigned char*>(s.data()); }

void put_u32(std::string& out, std::uint32_t v) { out.append(reinterpret_cast<const char*>(&v), sizeof v); }
void put_text(std::string& out, std::string_view v) {
  put_u32(out, static_cast<std::uint32_t>(v.size()));
  out.append(v);
}
std::optional<std::uint32_t> get_u32(std::string_view& in) {
  std::uint32_t v;
  if (in.size() < sizeof v) return {};
  std::memcpy(&v, in.data(), sizeof v);
  in.remove_prefix(sizeof v);
  return v;
}
std::optional<std::string> get_text(std::string_view& in) {
  const auto size = get_u32(in);
  if (!size || in.size() < *size) return {};
  std::string v(in.substr(0, *size));
  in.remove_prefix(*size);
  return v;
}

// The binding is authenticated but not stored in the ticket: the opener has to know it.
std::string worker_binding() { return "worker"; }
std::string resume_binding() { return "resume"; }
std::string session_binding(WorkerId worker, const SessionId& session) {
  std::string out = "session";
  put_u32(out, worker.slot);
  put_u32(out, worker.generation);
  out.append(reinterpret_cast<const char*>(session.bytes.data()), session.bytes.size());
  return out;
}

}  // namespace

std::string SealedTickets::seal(std::string_view bound_to, std::string_view plain) const {
  std::string out(overhead + plain.size(), '\0');
  out[0] = version;
  random_bytes(out.data() + 1, nonce_size);
  CipherContext ctx(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  int n = 0;
  unsigned char* const body = bytes(out) + 1 + nonce_size;
  const bool sealed =
      ctx && EVP_EncryptInit_ex(ctx.get(), EVP_aes_256_gcm(), nullptr, secret_.data(), bytes(out) + 1) == 1 &&
      EVP_EncryptUpdate(ctx.get(), nullptr, &n, bytes(bound_to), static_cast<int>(bound_to.size())) == 1 &&
      EVP_EncryptUpdate(ctx.get(), body, &n, bytes(plain), static_cast<int>(plain.size())) == 1 &&
      EVP_EncryptFinal_ex(ctx.get(), body + n, &n) == 1 &&
      EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_GCM_GET_TAG, tag_size, body + plain.size()) == 1;
  // An empty ticket opens nothing: without OpenSSL's cipher a session merely does not survive a restart of meshd.
  return sealed ? out : std::string();
}

std::optional<std::string> SealedTickets::open(std::string_view bound_to, std::string_view ticket) const {
  if (ticket.size() < overhead || ticket[0] != version) return {};
  const std::size_t size = ticket.size() - overhead;
  std::string plain(size, '\0');
  std::string tag(ticket.substr(ticket.size() - tag_size));
  const unsigned char* const body = bytes(ticket) + 1 + nonce_size;
  CipherContext ctx(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  int n = 0;
  unsigned char rest[16];
  const bool opened =
      ctx && EVP_DecryptInit_ex(ctx.get(), EVP_aes_256_gcm(), nullptr, secret_.data(), bytes(ticket) + 1) == 1 &&
      EVP_DecryptUpdate(ctx.get(), nullptr, &n, bytes(bound_to), static_cast<int>(bound_to.size())) == 1 &&
      EVP_DecryptUpdate(ctx.get(), bytes(plain), &n, body, static_cast<int>(size)) == 1 &&
      EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_GCM_SET_TAG, tag_size, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(ctx.get(), rest, &n) == 1;
  if (!opened) return {};
  return plain;
}

std::array<std::uint8_t, 16> SealedTickets::key_for(std::string_view purpose) const {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  std::array<std::uint8_t, 16> key{};
  if (!HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()), bytes(purpose), purpose.size(),
            digest.data(), &size) ||
      size < key.size())
    throw std::runtime_error("OpenSSL has no HMAC with SHA-256, which keys are derived with");
  std::copy_n(digest.begin(), key.size(), key.begin());
  return key;
}

std::string SealedTickets::seal_worker(WorkerId worker) const {
  std::string plain;
  put_u32(plain, worker.slot);
  put_u32(plain, worker.generation);
  return seal(worker_binding(), plain);
}

std::optional<WorkerId> SealedTickets::open_worker(std::string_view ticket) const {
  const auto plain = open(worker_binding(), ticket);
  if (!plain) return {};
  std::string_view in = *plain;
  const auto slot = get_u32(in);
  const auto generation = get_u32(in);
  if (!slot || !generation || !in.empty()) return {};
  if (*slot > ReturnAddress::max_slot || *generation > ReturnAddress::max_generation) return {};
  return WorkerId{*slot, *generation};
}

std::string SealedTickets::seal_resume(const ResumeToken& token) const {
  std::string plain(reinterpret_cast<const char*>(token.session.bytes.data()), token.session.bytes.size());
  put_u32(plain, token.count);
  return to_hex(seal(resume_binding(), plain));
}

std::optional<SealedTickets::ResumeToken> SealedTickets::open_resume(std::string_view token) const {
  const auto sealed = from_hex(token);
  const auto plain = sealed ? open(resume_binding(), *sealed) : std::nullopt;
  ResumeToken out;
  if (!plain || plain->size() != out.session.bytes.size() + sizeof out.count) return {};
  std::memcpy(out.session.bytes.data(), plain->data(), out.session.bytes.size());
  std::memcpy(&out.count, plain->data() + out.session.bytes.size(), sizeof out.count);
  return out;
}

std::string SealedTickets::seal_session(WorkerId worker, const SessionId& session, const Identity& identity) const {
  std::string plain;
  put_text(plain, identity.user_id);
  put_text(plain, identity.username);
  put_text(plain, identity.token);
  put_text(plain, identity.claims);
  put_text(plain, identity.authorizer);
  put_text(plain, std::to_string(identity.expires));
  put_text(plain, std::to_string(identity.ends_ms));
  for (const std::string& role : identity.roles) put_text(plain, role);
  return seal(session_binding(worker, session), plain);
}

std::optional<Identity> SealedTickets::open_session(WorkerId worker, const SessionId& session,
                                                    std::string_view ticket) const {
  const auto plain = open(session_binding(worker, session), ticket);
  if (!plain) return {};
  std::string_view in = *plain;
  auto user_id = get_text(in);
  auto username = get_text(in);
  auto token = get_text(in);
  auto claims = get_text(in);
  auto authorizer = get_text(in);
  const auto expires = get_text(in);
  const auto ends = get_text(in);
  if (!user_id || !username || !token || !claims || !authorizer || !expires || !ends) return {};
  std::int64_t until = 0;
  std::uint64_t ends_ms = 0;
  if (std::from_chars(expires->data(), expires->data() + expires->size(), until).ec != std::errc() ||
      std::from_chars(ends->data(), ends->data() + ends->size(), ends_ms).ec != std::errc())
    return {};
  Identity identity{std::move(*user_id),    std::move(*username),
                    std::move(*token),      {},
                    std::move(*claims),     until,
                    std::move(*authorizer), ends_ms};
  while (!in.empty()) {
    auto role = get_text(in);
    if (!role) return {};
    identity.roles.push_back(std::move(*role));
  }
  return identity;
}

}  // namespace nuropb::meshd
