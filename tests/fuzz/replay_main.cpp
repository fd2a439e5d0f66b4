// Runs a fuzz target without a fuzzer: every file of the corpus, then mutations of them. The seed is fixed, so failures
// are reproducible; findings of libFuzzer become files of the corpus.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr int mutations_per_file = 4000;

void run(const std::string& input) {
  // A copy of exactly that size, so that the sanitizer detects reads beyond it.
  const std::vector<std::uint8_t> exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

std::string mutate(std::string text, const std::vector<std::string>& all, std::mt19937& random) {
  static constexpr unsigned char interesting[] = {0,   1,   0x7f, 0x80, 0xff, '"', '\\', '{', '[',
                                                  ']', '}', ',',  ':',  '%',  '/', ';',  '='};
  for (unsigned n = 1 + random() % 4; n > 0; --n) {
    const std::size_t at = text.empty() ? 0 : random() % text.size();
    switch (random() % 7) {
      case 0:
        if (!text.empty()) text[at] = static_cast<char>(text[at] ^ (1 << random() % 8));
        break;
      case 1:
        if (!text.empty()) text[at] = static_cast<char>(interesting[random() % std::size(interesting)]);
        break;
      case 2: text.insert(at, 1, static_cast<char>(interesting[random() % std::size(interesting)])); break;
      case 3: text.erase(at, 1 + random() % 8); break;
      case 4: text.resize(at); break;
      case 5: {
        const std::string& other = all[random() % all.size()];
        const std::size_t from = other.empty() ? 0 : random() % other.size();
        text.insert(at, other, from, random() % 64);
        break;
      }
      case 6: text.insert(at, text.substr(at, 1 + random() % 32)); break;
    }
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: " << argv[0] << " CORPUS-FOLDER\n";
    return 2;
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<std::string> inputs{""};
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  if (inputs.size() < 2) {
    std::cerr << argv[1] << " is empty: nothing would be tested\n";
    return 2;
  }
  for (const auto& input : inputs) run(input);
  std::mt19937 random(20261121);
  for (const auto& input : inputs) {
    for (int i = 0; i < mutations_per_file; ++i) run(mutate(input, inputs, random));
  }
  std::cout << inputs.size() - 1 << " files and " << inputs.size() * mutations_per_file << " mutations\n";
}
