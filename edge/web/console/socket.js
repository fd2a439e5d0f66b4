// A client like any other: one WebSocket that reconnects by itself, and the calls that wait for their answers.

const firstPause = 200, longestPause = 5000, hintAfter = 3;

// Why a call has no result. `kind`: "not sent", "error" (of the gateway or the service), "unknown" (it may have run), "cancelled".
export class CallFailure extends Error {
  constructor(kind, name, description = "") {
    super(description ? `${name}: ${description}` : name);
    Object.assign(this, { kind, errorName: name, description });
  }
}

export class GatewaySocket {
  #url; #onState; #onEvent; #onHello;
  #socket; #token = ""; #wanted = false; #retry; #pause = firstPause; #failures = 0;
  #waiting = new Map(); #number = 0;

  constructor(url, { onState, onEvent, onHello }) {
    this.#url = url;
    this.#onState = onState;
    this.#onEvent = onEvent;
    this.#onHello = onHello;
  }

  connect(token) {
    this.#token = token;
    this.#wanted = true;
    this.#pause = firstPause;
    this.#failures = 0;
    const former = this.#socket;
    this.#open();
    former?.close();
  }

  disconnect() {
    this.#wanted = false;
    clearTimeout(this.#retry);
    this.#socket?.close(1000);
    if (this.#socket?.readyState !== WebSocket.OPEN) this.#onState("not connected", false);
  }

  #open() {
    clearTimeout(this.#retry);
    const bytes = String.fromCharCode(...new TextEncoder().encode(this.#token));
    const coded = btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    const mine = this.#socket = new WebSocket(this.#url, ["nuropb", "base64url.bearer.authorization.nuropb." + coded]);
    this.#onState("connecting", false);
    mine.onmessage = ({ data }) => mine === this.#socket && this.#heard(JSON.parse(data));
    mine.onclose = ({ code, reason }) => mine === this.#socket && this.#closed(code, reason);
  }

  #closed(code, reason) {
    for (const { fail } of this.#waiting.values()) fail(new CallFailure("unknown", "connection lost", `close code ${code} ${reason}`));
    this.#waiting.clear();
    ++this.#failures;
    const why = `closed: ${code} ${reason}`.trim();
    // A code from 4500 on is final: the same token would be refused again.
    if (!this.#wanted || code >= 4500) return this.#onState(this.#wanted ? why : "not connected", false);
    const hint = this.#failures >= hintAfter ? `; never reached ${this.#url}: is it reachable, and does the browser accept its certificate?` : "; reconnecting";
    this.#onState(why + hint, false);
    this.#retry = setTimeout(() => this.#open(), this.#pause * (0.5 + Math.random()));
    this.#pause = Math.min(this.#pause * 2, longestPause);
  }

  #heard({ type, payload, error, description }) {
    if (type === "event" && payload.topic === "hello") {
      this.#pause = firstPause;
      this.#failures = 0;
      this.#onState(`connected as ${payload.event.user_id}`, true);
      this.#onHello();
    } else if (type === "event") {
      this.#onEvent(payload.topic, payload.event);
    } else if (this.#waiting.has(payload?.trace_id)) {
      const { succeed, fail } = this.#waiting.get(payload.trace_id);
      this.#waiting.delete(payload.trace_id);
      if (!payload.error) succeed(payload.result);
      else fail(new CallFailure(payload.error.outcome === "unknown" ? "unknown" : "error", payload.error.error, payload.error.description));
    } else if (error) {
      this.#onEvent(error, description, true);
    }
  }

  // `cancelled`: an AbortSignal. Cancelling ends the wait on this page; the service may still run the call.
  call(type, payload, cancelled) {
    return new Promise((succeed, fail) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) return fail(new CallFailure("not sent", "not connected"));
      const trace_id = `console-${Date.now()}-${++this.#number}`;
      this.#waiting.set(trace_id, { succeed, fail });
      cancelled?.addEventListener("abort", () => {
        if (this.#waiting.delete(trace_id)) fail(new CallFailure("cancelled", "cancelled", "the service may still run it"));
      });
      this.#socket.send(JSON.stringify({ type, payload: { ...payload, trace_id } }));
    });
  }
}
