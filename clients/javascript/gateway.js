// The gateway's own protocol at /websocket (docs/reference/protocol.md): requests, events, and sessions that outlive their
// sockets (docs/tasks/resume.md).

import { Connection, GatewayError } from "./connection.js";

export { GatewayError };

/** Connects, and goes on connecting: calls may be made at once. */
export const connect = (url, options) => new Gateway(url, options);

const ACK_MESSAGES = 32, ACK_BYTES = 32768; // so that the gateway need not keep what was seen

/** RabbitMQ counts no word in an empty topic. */
const split = (topic) => (typeof topic === "string" && topic ? topic.split(".") : []);

/** Whether AMQP's topic pattern stands for the topic: `*` for one word, `#` for any number. */
export function matches(pattern, topic) {
  const wanted = split(pattern), words = split(topic);
  let at = 0, next = 0, hash = -1, from;
  while (next < words.length) {
    if (wanted[at] === "#") {
      hash = at++;
      from = next;
    } else if (at < wanted.length && (wanted[at] === "*" || wanted[at] === words[next])) {
      at++;
      next++;
    } else if (hash < 0) {
      return false;
    } else {
      // Only the last `#` takes one word more: all that stands before it was found at its earliest place. So the cost is at
      // most words times words, not exponential.
      at = hash + 1;
      next = ++from;
    }
  }
  while (wanted[at] === "#") at++;
  return at === wanted.length;
}

export class Gateway extends Connection {
  session = null; // {session_id, user_id, username}
  #step; // of a socket's beginning: hello, asking (to be kept, or for a lost session), catching (up)
  #kept = null; // {token, seq, window}: what the session can be resumed with
  #asked; // {id, pending, last}
  #patience = 0;
  #held = []; // said to the socket's own session while another one is resumed
  #unseen = [0, 0]; // messages and bytes since the last ack
  #topics = new Map(); // pattern → {listeners, on, gap}

  /** The service's result, or a GatewayError. `idempotent`: may run twice. */
  request(service, method, params = {}, options) {
    return this.#say("request", { service, method, params, ...(options?.idempotent && { idempotent: true }) }, options);
  }
  /** Done once the broker has it: nobody tells what became of it. */
  command(service, method, params = {}, options) {
    return this.#say("command", { service, method, params }, options);
  }
  describe(service, options) {
    return this.#say("describe", { service }, { idempotent: true, ...options });
  }
  publish(topic, event, { target, ...options } = {}) {
    return this.#say("event", { topic, event, ...(target && { target }) }, options);
  }

  /** The listener gets the events of a topic pattern, over lost sockets and sessions, until the returned function is called. */
  async subscribe(topic, listener, options) {
    let entry = this.#topics.get(topic);
    if (!entry) {
      this.#topics.set(topic, (entry = { listeners: new Set() }));
      entry.ready = this.#subscribe(topic, options).then(
        () => (entry.on = true),
        (error) => {
          if (this.#topics.get(topic) === entry) this.#topics.delete(topic);
          throw error;
        },
      );
    }
    const mine = { listener };
    entry.listeners.add(mine);
    await entry.ready;
    return async () => {
      if (!entry.listeners.delete(mine) || entry.listeners.size || this.#topics.get(topic) !== entry) return;
      this.#topics.delete(topic);
      // Whose session ended has no subscription any more either.
      await this.#say("unsubscribe", { topic }, { idempotent: true }).catch(() => {});
    };
  }

  #say(type, payload, options) {
    return this._call((trace_id, ttl) => ({ type, payload: { ...payload, trace_id, ttl } }), options);
  }
  #subscribe(topic, options) {
    return this.#say("subscribe", { topic }, { ttl: options?.ttl, idempotent: true });
  }
  /** In a new session, what the last one had. */
  async #renew(topic, entry) {
    try {
      await this.#subscribe(topic);
    } catch (error) {
      if (this.state === "closed" || this.#topics.get(topic) !== entry) return;
      if (error.retryable || error.unknownOutcome) return void setTimeout(() => this.#renew(topic, entry), 500 + 1000 * Math.random());
      this.#topics.delete(topic);
      this._emit("error", error);
    }
  }

  _busy() {
    return this._calls.size || this.#topics.size;
  }
  /** Something that costs nothing and is answered. */
  _probe(ttl) {
    return this.#say("unsubscribe", { topic: "-" }, { ttl });
  }
  _opened() {
    this.#step = "hello";
    if (this.options.tokenInMessage) this._write({ type: "authorize", payload: { token: this._shown } });
  }
  _lost() {
    this.#held = [];
    if (!this.#kept) this._forsake();
    else this.#patience ||= performance.now() + this.#kept.window;
  }
  _ended() {
    this.#kept = this.session = null;
  }

  _take(message, size) {
    const { type, payload, seq, error } = message ?? {};
    if (this.#step === "hello") return !payload && error ? undefined : this.#greet(payload); // an error: about what was said too early
    if (this.#step === "asking") {
      if (type === "response" && payload?.trace_id === this.#asked.id) return this.#answered(payload, seq);
      if (type === "event" && payload?.topic === "resumed") return this.#resumed(payload.event);
      return this.#held.push(message);
    }
    if (this.#kept && Number.isInteger(seq)) {
      if (seq <= this.#kept.seq) return;
      this.#numbered(message, size);
    } else {
      this.#dispatch(message);
    }
    // A listener may have closed the client meanwhile.
    if (this.#step === "catching" && this.#kept?.seq >= this.#asked.last) this.#caughtUp();
  }

  #numbered({ seq, ...message }, size) {
    this.#kept.seq = seq;
    // A pushed message that could hold no number came in an envelope.
    const wrapped = message.type === "message" && Object.keys(message).length === 2 && "payload" in message;
    this.#dispatch(wrapped ? message.payload : message);
    this.#unseen[0]++;
    this.#unseen[1] += size;
    if (this.#unseen[0] < ACK_MESSAGES && this.#unseen[1] < ACK_BYTES) return;
    this.#unseen = [0, 0];
    this._write({ type: "ack", payload: { seq } });
  }

  #greet({ topic, event: { resume, ...session } }) {
    if (topic !== "hello" || !session.session_id) throw new TypeError("it is no hello");
    this.#asked = { session };
    this.#step = "asking";
    if (resume && this.options.resume !== false) return this.#ask();
    this.#lose("off");
    this.#begin(session);
  }
  #ask() {
    const { token, seq } = this.#kept ?? {};
    this.#asked.id = `resume-${Math.random()}`;
    this._write({ type: "resume", payload: { ...(token && { token, seq }), trace_id: this.#asked.id } });
  }
  #answered({ error, result }, seq) {
    const asked = this.#asked, socket = this._socket;
    if (!error) {
      this.#kept = { token: result.resume.token, window: result.resume.window_ms, seq };
      return this.#begin(asked.session);
    }
    this.#patience ||= performance.now() + 5000;
    if ((!error.reason || error.reason === "in_use") && performance.now() < this.#patience) {
      return void setTimeout(() => this._socket === socket && this.#ask(), 50 + 200 * Math.random());
    }
    if (!this.#kept) return this.#begin(asked.session); // it can't be kept: then without
    this.#lose(error.reason ?? error.error);
    this.#ask();
  }
  #lose(reason) {
    if (!this.#kept) return;
    this.#kept = null;
    this._forsake();
    this.#missed(reason);
    this._emit("lost", { reason });
  }
  /** The next event of each subscription says why events may be missing before it. */
  #missed(reason) {
    for (const entry of this.#topics.values()) if (entry.on) entry.gap ??= reason;
  }
  #resumed({ seq, resume, pending, session_id }) {
    Object.assign(this.#kept, { token: resume.token, window: resume.window_ms });
    this.#asked = { session: { ...this.#asked.session, session_id }, last: seq, pending };
    this.#held = []; // the resumed session has had them too
    this.#step = "catching";
    if (this.#kept.seq >= seq) this.#caughtUp();
  }
  /** What was sent, and is neither answered nor pending, was never taken: it goes again. */
  #caughtUp() {
    for (const [id, call] of this._calls) if (!this.#asked.pending.includes(id)) call.sent = 0;
    this.#begin(this.#asked.session, true);
  }
  #begin(session, resumed = false) {
    this.#step = "open";
    this.#patience = this._attempt = 0;
    if (!resumed && this.session) this.#missed("the socket was lost, and the session with it");
    this.session = session;
    this._ready({ ...session, resumed });
    for (const message of this.#held.splice(0)) this.#dispatch(message);
    if (!resumed) for (const [topic, entry] of this.#topics) if (entry.on) this.#renew(topic, entry);
  }

  #dispatch(message) {
    const { type, payload, error } = message ?? {};
    if (type === "response" && payload) {
      const call = this._calls.get(payload.trace_id);
      if (payload.error) call?.fail(payload.error);
      else call?.done(payload.result);
    } else if (type === "event" && typeof payload?.topic === "string") {
      if (payload.topic === "session_expiring" && payload.event?.session_id === this.session?.session_id) {
        this._emit("expiring", payload.event);
        return this.#refresh();
      }
      for (const [topic, entry] of [...this.#topics]) {
        if (!matches(topic, payload.topic)) continue;
        const { gap, listeners } = entry;
        entry.gap = undefined;
        for (const { listener } of [...listeners]) this._tell(listener, payload.event, gap ? { ...payload, gap } : payload);
      }
      this._emit("event", payload);
    } else if (!type && error && message.description) {
      const call = this._calls.get(message.trace_id);
      if (call) call.fail(message);
      else this._emit("error", new GatewayError(message));
    } else {
      this._emit("message", message);
    }
  }

  /** A fresh token before the old one expires. */
  async #refresh() {
    if (typeof this.options.token !== "function") return;
    const socket = this._socket;
    try {
      const token = await this._token({ refused: false, expiring: true });
      if (!token || token === this._shown || this._socket !== socket) return;
      await this.#say("authorize", { token });
      this._shown = token;
    } catch (error) {
      if (this._socket !== socket) return; // the next one begins with a token of its own
      if (error.retryable) setTimeout(() => this._socket === socket && this.#refresh(), 1000 + 2000 * Math.random());
      else this._emit("error", error);
    }
  }
}
