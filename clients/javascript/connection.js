// A WebSocket that comes back, and calls that end exactly once however often it is lost. Gateway (gateway.js) and Snorky
// (snorky.js) are built on it.

const TRANSPORT = "NuropbTransportError", TIMEOUT = "NuropbTimeoutError";
const PAUSE = [4002, 4005, 4006]; // "reconnect after a pause" (docs/reference/close-codes.md)
const REFUSED = 3; // such handshakes after which it is hardly a gateway that starts
const TOO_BIG = 1009;
const STEADY = 10000; // ms after which a socket counts as good, whatever was heard on it

/** What a call ends with in place of a result: the gateway's words, a service's, or, where nobody could say, ours. */
export class GatewayError extends Error {
  constructor({ error, description = error, outcome, reason, code, final }) {
    super(description);
    this.name = error;
    if (reason) this.reason = reason;
    if (code) this.code = code;
    /** It may have run, or may still. */
    this.unknownOutcome = outcome === "unknown" || (error === TIMEOUT && !/not sent/.test(description));
    /** It has not run, and may be let through another time: never by a client that is closed for good. */
    this.retryable = !final && !this.unknownOutcome && [TRANSPORT, TIMEOUT, "NuropbNotDeliveredError"].includes(error);
  }
}

/** The text of anything that was thrown, also of what no text can be made of. */
const textOf = (thrown) => {
  try {
    return String(thrown);
  } catch {
    return typeof thrown;
  }
};
const asError = (thrown) => (thrown instanceof Error ? thrown : new TypeError(textOf(thrown)));
const ignore = () => {};
const lost = { error: TRANSPORT, description: "the connection was lost; it may have run", outcome: "unknown" };
const base64url = (text) =>
  btoa(String.fromCharCode(...new TextEncoder().encode(text))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

/** states: idle → connecting → open → waiting (to connect again) → … → closed, for good or until open() */
export class Connection {
  state = "closed";
  _calls = new Map(); // all that have no outcome yet, in the order in which they were made
  _attempt = 0;
  #listeners = {};
  #prefix = Math.random().toString(36).slice(2);
  #count = 0;
  #turn; // of connecting: what belongs to an earlier one is ignored
  #guard; // ends an attempt that takes too long, or the pause before the next one
  #refused; // why the last token was refused, until another one is sent
  #dialled;
  #why = ""; // there is no connection, for errors
  #unopened = 0; // handshakes that failed before the first one that succeeded
  #beat;

  constructor(url, options) {
    this.url = url;
    /** ms, and how many calls may wait for a connection. */
    this.options = { WebSocket: globalThis.WebSocket, ttl: 60000, grace: 3000, queue: 1000, minDelay: 200, maxDelay: 20000, connectTimeout: 15000, ...options };
    if (!this.options.WebSocket) throw new TypeError("there is no WebSocket here: pass one as the option WebSocket, or run node --experimental-websocket");
    this.open();
  }

  /** Connects, also again after it was closed for good. */
  open() {
    if (this.state === "closed") {
      this._attempt = 0;
      this.#dial();
    }
    return this;
  }

  /** For good: what is not answered yet fails. */
  close() {
    this.#end(new GatewayError({ error: TRANSPORT, description: "closed by its user", reason: "closed", final: true }));
  }

  /** Calls the listener until the function that it returns is called. */
  on(name, listener) {
    const entry = { listener };
    (this.#listeners[name] ??= new Set()).add(entry);
    return () => this.#listeners[name].delete(entry);
  }

  _emit(name, ...values) {
    for (const { listener } of [...(this.#listeners[name] ?? [])]) this._tell(listener, ...values);
  }
  async _tell(listener, ...values) {
    try {
      await listener(...values);
    } catch (error) {
      (globalThis.reportError ?? console.error)(error); // a listener's mistake is not ours
    }
  }

  /** The user's token: it may take its time, and is asked for at each connect, before the old one expires, and when it was refused. */
  async _token(why) {
    const { token } = this.options;
    try {
      const given = typeof token === "function" ? await token(why) : token;
      if (given && typeof given !== "string") throw "it is not a string";
      return given;
    } catch (error) {
      throw new GatewayError({ error: TRANSPORT, description: `no token: ${textOf(error)}` });
    }
  }

  async #dial() {
    const { options } = this, turn = (this.#turn = {}), refused = this.#refused;
    this.state = "connecting";
    this.#guard = setTimeout(() => this._drop(this._socket ? "no session in time" : "no token in time"), options.connectTimeout);
    let token, socket;
    try {
      token = await this._token({ refused: !!refused, expiring: false });
    } catch (error) {
      if (turn !== this.#turn) return;
      return typeof options.token === "function" ? this.#gone(0, error.message) : this.#end(error);
    }
    if (turn !== this.#turn) return;
    if (refused && (!token || token === this._shown)) return this.#end(refused);
    this._shown = token;
    this.#refused = null;
    const protocols = ["nuropb"];
    try {
      if (token && !options.tokenInMessage) protocols.push(/^[\w.~!#$%&'*+^`|-]+$/.test(token) ? `bearer.${token}` : `base64url.bearer.authorization.nuropb.${base64url(token)}`);
      socket = this._socket = new options.WebSocket(this.url, protocols);
    } catch (error) {
      return this.#end(asError(error)); // not a URL, or no WebSocket at all
    }
    this._heard = 0;
    this.#dialled = performance.now();
    socket.onopen = () => {
      // An open socket that fails says so by its close.
      socket.onerror = ignore;
      this.#unopened = -Infinity;
      this._opened();
    };
    socket.onerror = () => this._drop("no connection"); // Node 20 leaves it at that
    socket.onmessage = ({ data }) => {
      this._heard = performance.now();
      try {
        this._take(JSON.parse(data), data.length);
      } catch (error) {
        if (this._socket === socket) this._drop(`a message that was not understood: ${error}`);
      }
    };
    socket.onclose = ({ code, reason }) => this.#gone(code, reason);
  }

  /** What is written here goes out, or is lost with the socket. */
  _write(message) {
    try {
      this._socket?.send(JSON.stringify(message));
    } catch {
      // The socket can't be written to any more, and its close says so.
    }
  }

  /** The session has begun, or goes on. */
  _ready(what) {
    clearTimeout(this.#guard);
    this.state = "open";
    const { heartbeat } = this.options;
    if (heartbeat) this.#beat = setInterval(() => performance.now() - this._heard > heartbeat && this._probe(heartbeat).catch(() => {}), heartbeat);
    this._emit("open", what);
    this._flush();
  }

  /** As if the socket had been lost; it may look open for long yet. */
  _drop(reason) {
    this.#gone(1006, reason);
  }

  /** Ends the attempt or the pause, and the socket, if there is one; whether there was. */
  #leave(code) {
    const socket = this._socket;
    clearTimeout(this.#guard);
    clearInterval(this.#beat);
    this.#turn = this._socket = null;
    if (!socket) return false;
    socket.onopen = socket.onmessage = socket.onclose = null;
    // The package ws emits `error` when it is closed before it was open. An `error` without a listener ends a Node process.
    socket.onerror = ignore;
    try {
      socket.close(code);
    } catch {
      // A WebSocket that the application gave may throw; this one is not used any more.
    }
    return true;
  }

  #gone(code, reason) {
    // A browser does not tell its page with which HTTP status a handshake was refused.
    if (this._socket && ++this.#unopened >= REFUSED) reason = `never connected to ${this.url}: is the gateway running, is this page's origin in listen.origins, is there a token?`;
    this.#why = this.#unopened >= REFUSED ? `; ${reason}` : "";
    if (this.#leave() && performance.now() - this.#dialled > STEADY) this._attempt = 0;
    if (code === TOO_BIG) this.#tooBig();
    this._lost(code);
    const error = new GatewayError({ error: TRANSPORT, description: `closed with ${code} ${reason}`, code, final: true });
    if (code === 1000 || (code >= 4500 && code < 5000)) {
      // Another token may be let in; all else that is said like this stays so.
      const renewable = (code === 4501 || code === 4502) && typeof this.options.token === "function";
      if (!renewable) return this.#end(error);
      this.#refused = error;
    }
    if (code === 4004 && !this._busy()) {
      this.state = "idle";
      this._emit("down", { code, reason });
    } else {
      this.#again(code, reason);
    }
  }

  /** Full jitter: clients that were disconnected together do not reconnect together. */
  #again(code, reason) {
    const from = PAUSE.includes(code) ? Math.max(2000, this.options.minDelay) : this.options.minDelay;
    const delay = Math.round(Math.random() * Math.min(this.options.maxDelay, from * 2 ** this._attempt++));
    this.state = "waiting";
    this.#guard = setTimeout(() => this.#dial(), delay);
    this._emit("down", { code, reason, delay });
  }

  /** What a call ends with that a closed client did not send. */
  #unsent() {
    return { error: TRANSPORT, description: `not sent: ${this.failure.message}`, code: this.failure.code, final: true };
  }

  #end(error) {
    if (this.state === "closed") return;
    this.state = "closed";
    this.failure = error;
    this.#refused = null;
    this.#leave(1000);
    this._ended();
    for (const call of [...this._calls.values()]) call.fail(call.sent ? lost : this.#unsent());
    this._emit("close", error);
  }

  /** A call: `message(id, ttl)` is what is written for it, now or once there is a session. */
  _call(message, { ttl = this.options.ttl, signal, idempotent } = {}) {
    const { grace } = this.options;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const full = () => [...this._calls.values()].filter((call) => !call.sent).length >= this.options.queue;
      if (this.state === "closed") throw new GatewayError(this.#unsent());
      if (this.state !== "open" && full()) throw new GatewayError({ error: TRANSPORT, description: "not sent: too much waits for a connection" });
      const id = `${this.#prefix}-${++this.#count}`, until = performance.now() + ttl;
      const end = (settle, value) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        this._calls.delete(id);
        settle(value);
      };
      const abort = () => end(reject, signal.reason);
      const late = () => {
        if (call.sent && performance.now() < until + grace) return void (timer = setTimeout(late, grace));
        const silent = call.sent && this.state === "open" && this._heard < call.sent;
        call.fail({ error: TIMEOUT, description: call.sent ? "no answer in time; it may have run" : `no connection in time; it was not sent${this.#why}` });
        if (silent) this._drop("nothing was heard for as long as a call may take");
      };
      let timer = setTimeout(late, ttl);
      const call = {
        sent: 0, // when it was written to a socket that may have taken it
        idempotent,
        text: () => JSON.stringify(message(id, Math.max(1, Math.round(until - performance.now())))),
        done: (result) => end(resolve, result),
        fail: (error) => end(reject, error instanceof Error ? error : new GatewayError(error)),
      };
      signal?.addEventListener("abort", abort);
      this._calls.set(id, call);
      if (this.state === "open") this.#send(call);
      if (this.state === "idle") this.#dial();
    });
  }

  #send(call) {
    try {
      const text = call.text();
      call.sent = performance.now();
      call.size = text.length;
      this._socket.send(text);
    } catch (error) {
      call.fail(asError(error)); // a value that JSON has no words for
    }
  }
  /** The largest call without an answer was too big for the gateway, which took the others. Sent again it would close each socket. */
  #tooBig() {
    const [largest] = [...this._calls.values()].filter((call) => call.sent).sort((a, b) => b.size - a.size);
    largest?.fail({ error: "NuropbValidationError", description: "the message is too big for the gateway; it was not taken", code: TOO_BIG });
  }
  _flush() {
    for (const call of [...this._calls.values()]) if (!call.sent && this.state === "open") this.#send(call);
  }
  /** What was sent is lost with its session: it goes again if it may run twice, else nobody knows. */
  _forsake() {
    for (const call of [...this._calls.values()]) {
      if (!call.sent) continue;
      if (call.idempotent) call.sent = 0;
      else call.fail(lost);
    }
  }
}
