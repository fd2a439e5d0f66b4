#pragma once
// A latency histogram with logarithmic buckets, 64 per power of two: any quantile to within 1.6 %, in a few kilobytes.

#include <array>
#include <bit>
#include <cstdint>

namespace nuropb::bench {

class Histogram {
 public:
  void add(std::uint64_t ns) {
    ++buckets_[index(ns)];
    ++count_;
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  /// The value in nanoseconds that a fraction `q` (0 to 1) of all values does not exceed.
  [[nodiscard]] double quantile(double q) const {
    const auto wanted = static_cast<std::uint64_t>(q * static_cast<double>(count_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen > wanted) return middle(i);
    }
    return 0;
  }

  /// Every non-empty bucket in order: its upper bound in nanoseconds, and the number of values up to it.
  template <class Visit>
  void each(Visit&& visit) const {
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (buckets_[i] > 0) visit(low(i + 1), seen);
    }
  }

 private:
  static constexpr unsigned bits = 6;  // 2^6 buckets per octave
  static std::size_t index(std::uint64_t v) {
    if (v < (1U << bits)) return static_cast<std::size_t>(v);
    const unsigned octave = static_cast<unsigned>(std::bit_width(v)) - bits - 1;
    return ((octave + 1) << bits) + static_cast<std::size_t>((v >> octave) & ((1U << bits) - 1));
  }
  static double middle(std::size_t i) {
    if (i < (1U << bits)) return static_cast<double>(i);
    const unsigned octave = static_cast<unsigned>(i >> bits) - 1;
    return low(i) + static_cast<double>(std::uint64_t{1} << octave) / 2;
  }
  static double low(std::size_t i) {
    if (i < (1U << bits)) return static_cast<double>(i);
    const unsigned octave = static_cast<unsigned>(i >> bits) - 1;
    return static_cast<double>((std::uint64_t{1} << bits) + (i & ((1U << bits) - 1))) *
           static_cast<double>(std::uint64_t{1} << octave);
  }
  std::array<std::uint64_t, (64 - bits + 1) << bits> buckets_{};
  std::uint64_t count_ = 0;
};

}  // namespace nuropb::bench
