// Metrics of the whole gateway, once a second, for users that console.users names.

import { Chart } from "./chart.js";
import { $, element, write } from "./dom.js";

const interval = 1000;

export class Figures {
  #about; #took; #token = ""; #timer; #before; #rows = new Map();
  #charts = { rates: new Chart("rates", ["requests", "events"]), latency: new Chart("latency", ["p50", "p99"]), sessions: new Chart("sessions", ["open", "resumable"]) };

  // `took`: durations of this page's own calls, in ms; used where the gateway measures none.
  constructor(about, took) {
    this.#about = about;
    this.#took = took;
    $("confirm-no").onclick = () => $("confirm").close();
    const redraw = () => Object.values(this.#charts).forEach((chart) => chart.draw());
    matchMedia("(prefers-color-scheme: dark)").onchange = redraw;
    addEventListener("resize", redraw);
  }

  start(token) {
    this.#token = token;
    this.#before = undefined;
    this.#look();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#before = undefined;
    write($("figures-state"), "Connect to see the metrics.", "");
  }

  #ask(path, options = {}) {
    return fetch(path, { ...options, headers: { Authorization: "Bearer " + this.#token }, cache: "no-store" });
  }

  async #look() {
    clearTimeout(this.#timer);
    let again = true;
    try {
      const answer = await this.#ask("api/status");
      const told = await answer.json();
      // With this token the answer would not become another one.
      again = answer.status !== 401 && answer.status !== 403;
      if (!answer.ok) throw new Error(told.description);
      write($("figures-state"), "", "");
      this.#draw(told);
    } catch (failure) {
      write($("figures-state"), "Metrics unavailable: " + failure.message, "bad");
      this.#before = undefined;
    }
    if (again) this.#timer = setTimeout(() => this.#look(), interval);
  }

  #draw(now) {
    const at = performance.now(), before = this.#before?.pid === now.pid ? this.#before : undefined;
    const seconds = before ? (at - before.at) / 1000 : 0;
    const rate = (to, from) => (from === undefined || !(seconds > 0) ? undefined : Math.max(0, (to - from) / seconds));
    const requests = rate(now.counts.requests, before?.counts.requests), events = rate(now.counts.events, before?.counts.events);
    this.#numbers({
      broker: now.broker.state, uptime: duration(now.uptime_s), sessions: now.sessions, edges: now.workers.length, "requests/s": (requests ?? 0).toFixed(0),
      timeouts: now.counts.timeouts, "refused handshakes": now.counts.refused_handshakes, topics: now.topics, gateways: now.peers + 1,
    });
    this.#charts.rates.add(at, [requests, events]);
    this.#charts.latency.add(at, this.#latency(now, before));
    this.#charts.sessions.add(at, [now.sessions, now.sessions_waiting]);
    for (const chart of Object.values(this.#charts)) chart.draw();
    this.#edges(now.workers, (worker) => rate(worker.requests, before?.workers.find(({ pid }) => pid === worker.pid)?.requests));
    this.#before = { ...now, at };
  }

  #numbers(numbers) {
    for (const [name, text] of Object.entries(numbers)) {
      const id = "number-" + name.replaceAll(/[^a-z]/g, "-");
      if (!$(id)) {
        const pair = element("div");
        pair.append(element("dt", name), element("dd", "", { id }));
        $("numbers").append(pair);
      }
      write($(id), text);
    }
  }

  #latency(now, before) {
    const measured = now.latencies.find(({ name }) => name === "request_seconds");
    const took = this.#took.splice(0).sort((a, b) => a - b);
    write($("latency-of"), measured ? "Request latency, ms" : "Latency of this page's calls, ms");
    if (!measured) return [took[Math.floor(took.length / 2)], took.at(-1)];
    const then = before?.latencies.find((one) => one.name === measured.name && one.labels === measured.labels);
    return then ? quantiles(measured, then) : [];
  }

  // Rows stay where they are, so that the focus and the reader's eye do.
  #edges(workers, rate) {
    const living = new Set(workers.map(({ pid }) => pid));
    for (const [pid, row] of this.#rows) {
      if (!living.has(pid)) row.line.remove(), this.#rows.delete(pid);
    }
    for (const worker of workers) {
      if (!this.#rows.has(worker.pid)) this.#rows.set(worker.pid, this.#row(worker));
      const row = this.#rows.get(worker.pid), silent = worker.silent_s > 1;
      write(row.sessions, worker.sessions);
      write(row.requests, (rate(worker) ?? 0).toFixed(0));
      for (const [name, { bytes, capacity }] of [["request", worker.request_ring], ["answer", worker.return_ring]]) {
        row[name].bar.max = capacity;
        row[name].bar.value = bytes;
        write(row[name].text, ` ${(100 * bytes / capacity).toFixed(0)} %`);
      }
      write(row.heartbeat, silent ? `silent for ${worker.silent_s} s` : "ok", silent ? "bad" : "good");
    }
  }

  #row(worker) {
    const line = element("tr", "", { "data-pid": worker.pid });
    const cell = () => line.appendChild(element("td"));
    line.append(element("th", worker.slot, { scope: "row", title: `slot ${worker.slot}, generation ${worker.generation}` }), element("td", worker.pid));
    const ring = (label) => {
      const made = cell(), bar = element("progress", "", { "aria-label": label }), text = element("span");
      made.append(bar, text);
      return { bar, text };
    };
    const row = { line, sessions: cell(), requests: cell(), request: ring("request ring"), answer: ring("return ring"), heartbeat: cell() };
    const last = cell();
    if (this.#about.kill_workers) {
      const button = last.appendChild(element("button", "Kill", { type: "button", "aria-label": `Kill edge ${worker.slot}` }));
      button.onclick = () => this.#confirmKill(worker);
    }
    $("workers").append(line);
    return row;
  }

  #confirmKill(worker) {
    write($("confirm-text"), `Kill edge ${worker.slot} (pid ${worker.pid})? Its sockets drop; its clients reconnect to another edge.`);
    $("confirm-yes").onclick = () => {
      $("confirm").close();
      this.#kill(worker);
    };
    $("confirm").showModal();
  }

  async #kill({ slot }) {
    try {
      const answer = await this.#ask("api/kill", { method: "POST", body: JSON.stringify({ slot }) });
      if (!answer.ok) throw new Error((await answer.json()).description);
    } catch (failure) {
      write($("figures-state"), `Edge ${slot} was not killed: ${failure.message}`, "bad");
    }
  }
}

// The bounds within which half, and 99 of 100, were since the last look; nothing if there were no requests.
function quantiles(now, then) {
  const total = now.counts.map((count, i) => count - then.counts[i]), all = total.at(-1);
  if (!(all > 0)) return [];
  return [0.5, 0.99].map((share) => {
    const place = total.findIndex((count) => count >= all * share);
    return 1000 * (now.le[place] ?? now.le[place - 1] ?? 0);
  });
}

export function duration(seconds) {
  for (const [unit, size, next, nextSize] of [["d", 86400, "h", 3600], ["h", 3600, "min", 60]]) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit} ${Math.floor((seconds % size) / nextSize)} ${next}`;
  }
  return seconds >= 60 ? `${Math.floor(seconds / 60)} min` : `${seconds} s`;
}
