#include "edge/net/tls_config.hpp"

#include <algorithm>

namespace nuropb::edge {
namespace {

TlsSettings::Clients clients(ClientCertificates wanted) {
  switch (wanted) {
    case ClientCertificates::required: return TlsSettings::Clients::required;
    case ClientCertificates::optional: return TlsSettings::Clients::optional;
    case ClientCertificates::none: break;
  }
  return TlsSettings::Clients::none;
}

TlsSettings::ClientName client_name(ClientName wanted) {
  switch (wanted) {
    case ClientName::dns: return TlsSettings::ClientName::dns;
    case ClientName::email: return TlsSettings::ClientName::email;
    case ClientName::uri: return TlsSettings::ClientName::uri;
    case ClientName::cn: break;
  }
  return TlsSettings::ClientName::cn;
}

/// TlsContexts says "file: what (setting)"; the setting is added again with its place (with_setting).
Error parsed(const std::string& text) {
  const auto colon = text.find(": "), bracket = text.rfind(" (tls.");
  if (colon == std::string::npos || bracket == std::string::npos || bracket < colon) return {text, {}, {}};
  return {text.substr(colon + 2, bracket - colon - 2), text.substr(0, colon), {}};
}

}  // namespace

TlsSettings tls_settings(const Config::Tls& config) {
  TlsSettings out;
  out.certificate_files = config.certificate_files;
  out.key_files = config.key_files;
  out.only_tls13 = config.min_version == TlsVersion::tls1_3;
  out.ciphers = config.ciphers;
  out.clients = clients(config.client_certificates);
  out.client_ca_file = config.client_ca_file;
  out.client_crl_file = config.client_crl_file;
  out.client_name = client_name(config.client_name);
  return out;
}

ConfigFindings check_tls(const Config& config) {
  ConfigFindings out;
  const TlsSettings all = tls_settings(config.tls);
  // One pair at a time, so that a wrong one does not hide the next.
  for (std::size_t i = 0; i < std::min(all.certificate_files.size(), all.key_files.size()); ++i) {
    TlsSettings pair = all;
    pair.certificate_files = {all.certificate_files[i]};
    pair.key_files = {all.key_files[i]};
    std::string wrong;
    const auto contexts = TlsContexts::load(pair, wrong);
    if (!contexts) {
      Error mistake = parsed(wrong);
      const auto same = [&](const Error& other) { return other.text() == mistake.text(); };
      if (std::none_of(out.mistakes.begin(), out.mistakes.end(), same)) out.mistakes.push_back(std::move(mistake));
    } else if (contexts->certificates().front().find(", EXPIRED ") != std::string::npos) {
      out.warnings.push_back(
          {"the certificate has expired: " + contexts->certificates().front(), pair.certificate_files.front(), {}});
    }
  }
  return out;
}

}  // namespace nuropb::edge
