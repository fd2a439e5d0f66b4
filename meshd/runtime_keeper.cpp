#include "meshd/runtime_keeper.hpp"

#include "common/log.hpp"

namespace nuropb::meshd {

void RuntimeKeeper::look() {
  const auto missing = settings_.folder.restore(settings_.kept);
  if (!missing) return failed(missing.error());
  std::string names;
  const auto note = [&](const std::string& name) {
    ++restored_;
    names += (names.empty() ? "" : ", ") + (name == "." ? std::string("the folder itself") : name);
  };
  for (const std::string& name : *missing) note(name);
  if (settings_.kept.edges && !missing->empty() && missing->front() == ".") {
    // Edges reach meshd from within the folder, since a parent folder may be closed to them.
    log::error("the runtime folder was removed: running edges can't attach to another meshd",
               {{"folder", settings_.folder.path()}, {"hint", "replace them before meshd: SIGHUP to the launcher"}});
  }
  for (const Socket& socket : sockets_) {
    if (socket.there()) continue;
    if (const auto made = socket.make(); !made) return failed(made.error());
    note(socket.name);
  }
  said_.clear();
  if (names.empty()) return;
  log::error("files were removed from the runtime folder while meshd runs; they are recreated",
             {{"folder", settings_.folder.path()},
              {"removed", names},
              {"hint", "keep cleaners of temporary files away from gateway.runtime_dir"}});
}

void RuntimeKeeper::failed(const Error& error) {
  const std::string text = error.text();
  if (said_ == text) return;
  said_ = text;
  log::error("files were removed from the runtime folder and can't be recreated: new edges can't attach",
             {{"folder", settings_.folder.path()}, {"reason", text}});
}

}  // namespace nuropb::meshd
