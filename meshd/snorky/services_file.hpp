#pragma once
// The configured Snorky services (docs/tasks/snorky.md): a TOML file, snorky.services_file.
//
//   [frontend.pubsub]            # clients call it by this name, on /ws
//   kind = "pubsub"              # pubsub, messaging, chat
//   publish = "backend"          # pubsub: all, backend (no client), policy (the verb publish)
//
//   [backend.pubsub_backend]     # backends, on POST /backend
//   kind = "pubsub"
//   frontend = "pubsub"          # the service that it publishes to
//
// Pure, except load_services().

#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "meshd/snorky/messaging.hpp"
#include "meshd/snorky/pub_sub.hpp"

namespace nuropb::meshd::snorky {

/// The service that every backend registry has. On /ws the name stands for the gateway itself.
inline constexpr std::string_view gateway_service = "gateway";

struct ServiceSettings {
  enum class Kind : std::uint8_t { pub_sub, messaging, chat };
  std::string name;
  Kind kind = Kind::pub_sub;
  PubSubService::Publish publish = PubSubService::Publish::backend;
  MessagingService::Names names = MessagingService::Names::user;
};
struct BackendSettings {
  std::string name;
  std::string frontend;
};
struct Services {
  std::vector<ServiceSettings> frontend;
  std::vector<BackendSettings> backend;
};

/// The services without a file: `pubsub`, to which no client may publish, and its `pubsub_backend`.
Services default_services();
Result<Services> load_services(const std::string& file);
/// An error names line and key; `name` is used as the file's name in messages.
Result<Services> parse_services(std::string_view toml, const std::string& name);

}  // namespace nuropb::meshd::snorky
