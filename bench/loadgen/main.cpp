// nuropb-loadgen: clients of a gateway. Opens WebSockets, sends requests, checks that every answer is correct and that each
// request is answered once, and prints the results as JSON. Four modes:
//
//   closed loop     a request follows an answer, so a fixed number is outstanding on each socket, whatever the server does
//   --rotate        the same with a fixed number outstanding on all sockets together, which take turns: the same load on any
//                   number of sockets
//   --rate N        open loop: requests have scheduled times, and their latency is counted from those times, even if they
//                   are sent later. So a stalling server cannot suppress the requests that would show its delay
//                   (coordinated omission)
//   --hold          opens sockets, prints {"open":N} and holds them, answering pings, until its input ends
//
// One thread with epoll and its own minimal framing: it must cost less than what it measures.

#include <sys/epoll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>

#include "bench/input.hpp"
#include "bench/loadgen/consumer.hpp"

namespace {

using namespace nuropb::bench;

/// The ready descriptors of `epoll`, waiting for a limited time.
template <class Visit>
void visit_ready(int epoll, std::chrono::nanoseconds limit, Visit&& visit) {
  epoll_event events[256];
  const auto ns = std::max<std::int64_t>(limit.count(), 0);
  const timespec wait{ns / 1'000'000'000, ns % 1'000'000'000};
  const int n = ::epoll_pwait2(epoll, events, 256, &wait, nullptr);
  for (int i = 0; i < n; ++i) visit(events[i].data.ptr);
}

void watch(int epoll, int fd, void* what) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = what;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

class Load {
 public:
  explicit Load(const Options& options) : options_(options), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (std::size_t i = 0; i < options.connections; ++i) {
      consumers_.push_back(Consumer::make(options, i, outcome_));
      watch(epoll_, consumers_.back()->fd(), consumers_.back().get());
      // Open sockets are served while the others are being opened, however long that takes.
      if (i % 64 == 63) serve({});
    }
  }

  int run() {
    if (options_.wait) {
      std::cout << "{\"open\":" << consumers_.size() << "}" << std::endl;
      input_.line(epoll_, [this] { serve({}); });
    }
    started_ = Clock::now();
    if (options_.rate > 0) open_loop();
    else closed_loop();
    outcome_.stop(std::chrono::duration<double>(Clock::now() - started_).count());
    drain();
    outcome_.print(options_.histogram);
    while (options_.wait && input_.line(epoll_, [this] { serve({}); })) {}
    return outcome_.errors.empty() ? 0 : 1;
  }

 private:
  /// Reads what arrives within `limit`, and answers pings; returns the number of answers.
  std::size_t serve(std::chrono::nanoseconds limit) {
    std::size_t answers = 0;
    visit_ready(epoll_, limit, [&](void* ready) {
      Consumer& consumer = *static_cast<Consumer*>(ready);
      answers += consumer.readable();
      consumer.flush();
    });
    return answers;
  }

  [[nodiscard]] Clock::time_point after(double seconds) const {
    return started_ + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }
  [[nodiscard]] bool may_ask() const { return options_.requests == 0 || outcome_.sent < options_.requests; }

  void closed_loop() {
    const auto warm = after(options_.warmup), until = after(options_.warmup + options_.seconds);
    for (auto& consumer : consumers_) {
      if (options_.rotate) break;
      for (std::size_t i = 0; i < options_.outstanding && may_ask(); ++i)
        consumer->request(Clock::now(), options_.warmup == 0);
      consumer->flush();
    }
    std::size_t next = 0;
    const auto ask_next = [&] {
      Consumer& consumer = *consumers_[next++ % consumers_.size()];
      const auto now = Clock::now();
      consumer.request(now, now >= warm);
      consumer.flush();
    };
    for (std::size_t i = 0; options_.rotate && i < options_.outstanding && may_ask(); ++i) ask_next();
    while (Clock::now() < until && !(options_.requests > 0 && outcome_.answered >= options_.requests)) {
      visit_ready(epoll_, std::min<std::chrono::nanoseconds>(until - Clock::now(), std::chrono::milliseconds(100)),
                  [&](void* ready) {
                    Consumer& consumer = *static_cast<Consumer*>(ready);
                    for (auto answers = consumer.readable(); answers > 0 && may_ask(); --answers) {
                      if (options_.rotate) {
                        ask_next();
                        continue;
                      }
                      const auto now = Clock::now();
                      consumer.request(now, now >= warm);
                    }
                    consumer.flush();
                  });
    }
  }

  void open_loop() {
    const double total = std::floor((options_.warmup + options_.seconds) * options_.rate),
                 uncounted = options_.warmup * options_.rate;
    std::vector<Consumer*> asked;
    for (double next = 0; next < total && may_ask();) {
      asked.clear();
      // Sends all due requests, those of each socket in one write, as if they had been on time. Their number is
      // limited, so that answers are read regularly, however late we are.
      for (; next < total && asked.size() < 4 * consumers_.size() && may_ask(); ++next) {
        const auto due = after(next / options_.rate);
        if (due > Clock::now()) break;
        Consumer& consumer = *consumers_[static_cast<std::size_t>(next) % consumers_.size()];
        consumer.request(due, next >= uncounted);
        asked.push_back(&consumer);
      }
      for (Consumer* const consumer : asked) consumer->flush();
      serve(after(next / options_.rate) - Clock::now());
    }
  }

  /// Answers from now on are checked, but not measured. A slow machine gets as much time as it needs, as long as there
  /// is progress.
  void drain() {
    auto last_call = Clock::now() + std::chrono::seconds(60);
    for (;;) {
      std::size_t waiting = 0;
      for (const auto& consumer : consumers_) waiting += consumer->waiting();
      if (waiting == 0) return;
      if (Clock::now() >= last_call) die(std::to_string(waiting) + " requests were never answered");
      if (serve(std::chrono::milliseconds(100)) > 0) last_call = Clock::now() + std::chrono::seconds(60);
    }
  }

  const Options& options_;
  const int epoll_;
  Outcome outcome_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
  Clock::time_point started_;
  Input input_;
};

int hold(const Options& options) {
  struct Held {
    Held(const Place& place, std::size_t number) : stream(place, number) {}
    Stream stream;
    std::string in{};
  };
  std::deque<Held> held;
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, STDIN_FILENO, nullptr);
  bool over = false;
  std::string out;
  const auto take_frames = [&](Held& socket) {
    std::size_t at = 0;
    bool closed = false;
    while (const auto frame = next_frame(socket.in, at, options.may_close)) {
      if (frame->opcode == 9) append_frame(out, 10, frame->payload);
      if (frame->opcode == 8) append_frame(out, 8, frame->payload);
      closed |= frame->opcode == 8;
    }
    socket.in.erase(0, at);
    if (!out.empty()) socket.stream.write(out);
    out.clear();
    // The connection is over, whichever side closed it.
    if (closed) ::epoll_ctl(epoll, EPOLL_CTL_DEL, socket.stream.fd(), nullptr);
  };
  const auto look = [&](void* ready) {
    if (ready == nullptr) {
      char nothing[256];
      over |= ::read(STDIN_FILENO, nothing, sizeof nothing) <= 0;
      return;
    }
    Held& socket = *static_cast<Held*>(ready);
    if (socket.stream.read(socket.in, false)) take_frames(socket);
  };
  std::vector<Place> places;
  for (const auto& url : options.urls) places.push_back(place_of(url));
  for (std::size_t i = 0; i < options.connections && !over; ++i) {
    const Place& place = places[i % places.size()];
    held.emplace_back(place, i / places.size());
    open_websocket(held.back().stream, place, options.token, !options.echo, held.back().in);
    watch(epoll, held.back().stream.fd(), &held.back());
    take_frames(held.back());  // data after the hello
    if (i % 256 == 255) visit_ready(epoll, {}, look);
  }
  std::cout << "{\"open\":" << held.size() << "}" << std::endl;
  while (!over) visit_ready(epoll, std::chrono::seconds(10), look);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Loads a gateway with requests and prints what it found as JSON", "nuropb-loadgen");
  app.add_option("--url", options.urls, "ws://ADDRESS:PORT/PATH; with several, connections take them in turn")
      ->capture_default_str();
  app.add_option("--token", options.token)->capture_default_str();
  app.add_option("--service", options.service)->capture_default_str();
  app.add_option("--method", options.method)->capture_default_str();
  app.add_option("--params", options.params, "raw JSON")->capture_default_str();
  app.add_option("--connections", options.connections)->check(CLI::Range(1, 1000000))->capture_default_str();
  app.add_option("--outstanding", options.outstanding, "outstanding requests per connection")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_flag("--rotate", options.rotate, "--outstanding is for all connections together, which take turns");
  app.add_option("--rate", options.rate, "open loop: scheduled requests per second on all connections together")
      ->check(CLI::Range(0.0, 1e9));
  app.add_option("--seconds", options.seconds)->check(CLI::Range(0.001, 86400.0))->capture_default_str();
  app.add_option("--warmup", options.warmup, "seconds before the measurement starts")->check(CLI::Range(0.0, 3600.0));
  app.add_option("--requests", options.requests, "stops after this many requests, or when the time is over");
  app.add_flag("--echo", options.echo, "the server is a bare echo: no hello, answers are the requests");
  app.add_flag("--http", options.http, "calls over HTTP at the address of --url, on connections that stay open");
  app.add_flag("--hold", options.hold, "only opens the connections and holds them until its input ends; wss:// too");
  app.add_flag("--wait", options.wait,
               "prints {\"open\":N} and starts when it reads a line of input; keeps the sockets until its input ends");
  app.add_flag("--may-close", options.may_close, "with --hold: the server may close its sockets");
  app.add_flag("--histogram", options.histogram,
               "prints all buckets: [upper bound in µs, number of requests up to it]");
  CLI11_PARSE(app, argc, argv);
  need_descriptors(options.connections + 64);
  return options.hold ? hold(options) : Load(options).run();
}
