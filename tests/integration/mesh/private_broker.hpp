#pragma once
// A RabbitMQ node of one test program, which may stop, kill, hang and starve it. Created with scripts/broker, which
// scripts/test names in NUROPB_TEST_BROKER; removed with this object.

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace nuropb::mesh {

class PrivateBroker {
 public:
  explicit PrivateBroker(const std::string& start_options = {}) {
    const char* const script = std::getenv("NUROPB_TEST_BROKER");
    if (!script) throw std::runtime_error("NUROPB_TEST_BROKER is not set: run this by scripts/test mesh");
    script_ = script;
    std::string name = (std::filesystem::temp_directory_path() / "nuropb-mesh.XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("no folder for a broker");
    folder_ = name;
    try {
      run("start " + start_options);
    } catch (...) {
      clean();
      throw;
    }
  }
  PrivateBroker(const PrivateBroker&) = delete;
  PrivateBroker& operator=(const PrivateBroker&) = delete;
  ~PrivateBroker() { clean(); }

  void run(const std::string& arguments) const {
    if (std::system((command(arguments) + " >/dev/null").c_str()) != 0)
      throw std::runtime_error("scripts/broker " + arguments + " failed");
  }
  /// The command's output.
  [[nodiscard]] std::string output(const std::string& arguments) const {
    std::string out;
    FILE* const pipe = ::popen(command(arguments).c_str(), "r");
    if (!pipe) throw std::runtime_error("scripts/broker " + arguments + " failed");
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) out += static_cast<char>(c);
    ::pclose(pipe);
    return out;
  }
  [[nodiscard]] std::string url(const std::string& option = {}) const {
    std::string out = output("url " + option);
    if (!out.empty() && out.back() == '\n') out.pop_back();
    return out;
  }
  [[nodiscard]] std::string folder() const { return folder_; }

 private:
  [[nodiscard]] std::string command(const std::string& arguments) const {
    return "NUROPB_BROKER_DIR='" + folder_ + "/broker' '" + script_ + "' " + arguments;
  }
  void clean() const {
    (void)!std::system(command("stop").c_str());
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::string script_, folder_;
};

}  // namespace nuropb::mesh
