// A WebSocket that comes back, and calls that end exactly once however often it is lost. Gateway (gateway.js) and Snorky
// (snorky.js) are built on it.

const TRANSPORT = "NuropbTransportError", TIMEOUT = "NuropbTimeoutError";
const PAUSE = [4002, 4005, 4006]; // "reconnect after a pause" (docs/reference/close-codes.md)
const STEADY = 10000; // ms after which a socket counts as good, whatever was heard on it

/** What a call ends with in place of a result: the gateway's words, a service's, or, where nobody could say, ours. */
export class GatewayError extends Error {
  constructor({ error, description = error, outcome, reason, code }) {
    super(description);
    this.name = error;
    if (reason) this.reason = reason;
    if (code) this.code = code;
    /** It may have run, or may still. */
    this.unknownOutcome = outcome === "unknown" || (error === TIMEOUT && !/not sent/.test(description));
    /** It has not run, and may be let through another time. */
    this.retryable = !this.unknownOutcome && [TRANSPORT, TIMEOUT, "NuropbNotDeliveredError"].includes(error);
  }
}

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
  #turn; // of connecting: what belongs to an earlier one is nobody's any more
  #guard;
  #dialled;
  #beat;

  constructor(url, options) {
    this.url = url;
    /** ms, and how many calls may wait for a connection. */
    this.options = { WebSocket: globalThis.WebSocket, ttl: 60000, grace: 3000, queue: 1000, minDelay: 200, maxDelay: 20000, connectTimeout: 15000, ...options };
    if (!this.options.WebSocket) throw new TypeError("there is no WebSocket here: name one in the options");
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
    this.#end(new GatewayError({ error: TRANSPORT, description: "closed by its user" }));
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
  _tell(listener, ...values) {
    try {
      listener(...values);
    } catch (error) {
      (globalThis.reportError ?? console.error)(error); // a listener's mistake is not ours
    }
  }

  /** The user's token: it may take its time, and is asked for at each connect, before the old one expires, and when it was refused. */
  async _token(why) {
    const { token } = this.options;
    return typeof token === "function" ? token(why) : token;
  }

  async #dial(refused = false) {
    const { options } = this, turn = (this.#turn = {});
    this.state = "connecting";
    let token, socket;
    try {
      token = await this._token({ refused: !!refused, expiring: false });
    } catch (error) {
      if (turn === this.#turn) this.#again(0, `no token: ${error}`);
      return;
    }
    if (turn !== this.#turn) return;
    if (refused && (!token || token === this._shown)) return this.#end(refused);
    this._shown = token;
    const protocols = ["nuropb"];
    if (token && !options.tokenInMessage) protocols.push(/^[\w.~!#$%&'*+^`|-]+$/.test(token) ? `bearer.${token}` : `base64url.bearer.authorization.nuropb.${base64url(token)}`);
    try {
      socket = this._socket = new options.WebSocket(this.url, protocols);
    } catch (error) {
      return this.#end(error); // not a URL, or no WebSocket at all
    }
    this._heard = 0;
    this.#dialled = performance.now();
    this.#guard = setTimeout(() => this._drop("no session in time"), options.connectTimeout);
    socket.onopen = () => {
      socket.onerror = null;
      this._opened();
    };
    socket.onerror = () => this._drop("no connection"); // Node 20 leaves it at that
    socket.onmessage = ({ data }) => {
      this._heard = performance.now();
      this._take(JSON.parse(data), data.length);
    };
    socket.onclose = ({ code, reason }) => this.#gone(code, reason);
  }

  /** What is written here goes out, or is lost with the socket. */
  _write(message) {
    this._socket?.send(JSON.stringify(message));
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

  #leave() {
    const socket = this._socket;
    clearTimeout(this.#guard);
    clearInterval(this.#beat);
    this.#turn = this._socket = null;
    if (socket) socket.onopen = socket.onerror = socket.onmessage = socket.onclose = null;
    return socket;
  }

  #gone(code, reason) {
    this.#leave()?.close();
    if (performance.now() - this.#dialled > STEADY) this._attempt = 0;
    this._lost(code);
    const error = new GatewayError({ error: TRANSPORT, description: `closed with ${code} ${reason}`, code });
    if (code === 1000 || (code >= 4500 && code < 5000)) {
      // Another token may be let in; all else that is said like this stays so.
      const renewable = (code === 4501 || code === 4502) && typeof this.options.token === "function";
      if (!renewable) return this.#end(error);
    }
    if (code === 4004 && !this._busy()) {
      this.state = "idle";
      this._emit("down", { code, reason });
    } else {
      this.#again(code, reason, code > 4500 && error);
    }
  }

  /** Full jitter: whoever was thrown out together does not come back together. */
  #again(code, reason, refused) {
    const from = PAUSE.includes(code) ? Math.max(2000, this.options.minDelay) : this.options.minDelay;
    const delay = Math.random() * Math.min(this.options.maxDelay, from * 2 ** this._attempt++);
    this.state = "waiting";
    this.#guard = setTimeout(() => this.#dial(refused), delay);
    this._emit("down", { code, reason, delay });
  }

  #end(error) {
    if (this.state === "closed") return;
    this.state = "closed";
    this.failure = error;
    this.#leave()?.close(1000);
    this._ended();
    for (const call of [...this._calls.values()]) call.fail(call.sent ? lost : { error: TRANSPORT, description: `not sent: ${error.message}` });
    this._emit("close", error);
  }

  /** A call: `message(id, ttl)` is what is written for it, now or once there is a session. */
  _call(message, { ttl = this.options.ttl, signal, idempotent } = {}) {
    const { grace } = this.options;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const full = () => [...this._calls.values()].filter((call) => !call.sent).length >= this.options.queue;
      if (this.state === "closed") throw new GatewayError({ error: TRANSPORT, description: `not sent: ${this.failure.message}` });
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
        call.fail({ error: TIMEOUT, description: call.sent ? "no answer in time; it may have run" : "no connection in time; it was not sent" });
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
      this._socket.send(text);
    } catch (error) {
      call.fail(error); // a value that JSON has no words for
    }
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
