// What the drivers of the JavaScript client have in common: does what commands say, and reports what the application saw
// (docs/tasks/test-your-client.md). In Node node.mjs is around it, in a page chromium.py.

export const CAPABILITIES = ["outcomes", "events", "push", "concurrent", "timeouts", "reconnect", "resume", "provider", "queue", "cancel", "heartbeat", "callbacks", "first-message", "size-errors", "gaps"];
const SETTINGS = {
  ttl_ms: "ttl", grace_ms: "grace", queue: "queue", min_delay_ms: "minDelay", max_delay_ms: "maxDelay", connect_timeout_ms: "connectTimeout",
  heartbeat_ms: "heartbeat", resume: "resume", token_in_message: "tokenInMessage",
};
const LISTENED = ["open", "down", "lost", "close", "message", "expiring", "error"];

export class Application {
  #aborts = {};
  #offs = {};
  #releases = [];
  #released = false;

  /** `more` are options for the client that only its surroundings know. */
  constructor({ connect, GatewayError }, say, more = {}) {
    Object.assign(this, { connect, GatewayError, say, more });
  }

  take({ do: what, ...words }) {
    return this[`_${what}`](words);
  }

  _open({ url, token, provider, settings = {} }) {
    const chosen = Object.fromEntries(Object.entries(settings).map(([name, value]) => [SETTINGS[name], value]));
    this.client = this.connect(url, { token: provider ? this.#provider(provider) : token, minDelay: 20, maxDelay: 200, ...this.more, ...chosen });
    const tell = {
      open: ({ session_id, user_id, username, resumed }) => ({ session_id, user_id, username, resumed }),
      down: ({ code, reason, delay }) => ({ code, reason, delay_ms: delay ?? null }),
      lost: ({ reason }) => ({ reason }),
      close: (why) => ({ code: why.code ?? null, reason: why.message, by_user: why.reason === "closed" }),
      message: (data) => ({ data }),
      expiring: () => ({}),
      error: ({ name, message }) => ({ name, description: message }),
    };
    for (const name of LISTENED) this.client.on(name, (what) => this.say({ saw: name, ...tell[name](what) }));
  }

  /** A function that gives the answers one after the other, and the last one again and again. */
  #provider(answers) {
    let asked = 0;
    return ({ refused, expiring }) => {
      this.say({ saw: "asked", refused, expiring });
      const answer = answers[Math.min(asked++, answers.length - 1)];
      if (typeof answer === "string") return answer;
      if (answer.does === "never ends") return new Promise(() => {});
      if (answer.does === "raises") throw new Error("the server of tokens is away");
      if (answer.does === "gives a number") return 5;
      if (answer.does === "gives nothing") return undefined;
      if (answer.does !== "settles twice") throw new Error(`unknown: ${answer.does}`);
      return {
        then(done, fail) {
          done(answer.token);
          done("another");
          fail(new Error("twice"));
        },
      };
    };
  }

  _reopen() {
    this.client.open();
  }
  _close() {
    this.client?.close();
  }
  _call({ id, service, method, params = {}, ttl_ms, idempotent }) {
    const abort = (this.#aborts[id] = new AbortController());
    this.#report(id, this.client.request(service, method, params, { ...(ttl_ms && { ttl: ttl_ms }), idempotent, signal: abort.signal }));
  }
  _command({ id, service, method, params = {} }) {
    this.#report(id, this.client.command(service, method, params));
  }
  _describe({ id, service }) {
    this.#report(id, this.client.describe(service));
  }
  _publish({ id, topic, event, target }) {
    this.#report(id, this.client.publish(topic, event, { target }));
  }
  _cancel({ id }) {
    this.#aborts[id].abort();
  }

  _subscribe({ id, topic, listener = "plain", service }) {
    const heard = (data, { topic, target, dropped, gap }) => {
      this.say({ saw: "event", id, topic, data, target: target ?? null, dropped: dropped ?? 0, gap: gap ?? null });
      if (listener === "raises") throw new Error("a listener that throws");
      if (listener === "raises later") return Promise.reject(new Error("a listener that rejects"));
      if (listener === "never ends") return new Promise(() => {});
      if (listener === "holds" && !this.#released) return new Promise((done) => this.#releases.push(done));
      if (listener === "closes") this.client.close();
      if (listener === "calls") this.#report(`${id}-call`, this.client.request(service, "echo", { heard: data }));
    };
    this.#report(id, this.client.subscribe(topic, heard).then((off) => void (this.#offs[id] = off)));
  }
  _unsubscribe({ id }) {
    return this.#offs[id]();
  }
  _release() {
    this.#released = true;
    this.#releases.forEach((done) => done());
  }
  _on({ name, listener }) {
    this.client.on(name, () => {
      if (listener === "raises") throw new Error("a listener that throws");
      return new Promise(() => {});
    });
  }

  #report(id, promise) {
    promise.then(
      (value) => this.say({ saw: "outcome", id, kind: "result", value: value ?? null }),
      (error) => this.say({ saw: "outcome", id, ...this.#failure(error) }),
    );
  }
  #failure(error) {
    if (error?.name === "AbortError") return { kind: "cancelled" };
    if (!(error instanceof this.GatewayError)) return { kind: "invalid", description: String(error) };
    const { name, message, code = null, retryable, unknownOutcome } = error;
    const kind = unknownOutcome ? "unknown" : retryable || /^not sent/.test(message) ? "not_sent" : "refused";
    return { kind, name, description: message, code, retryable };
  }
}
