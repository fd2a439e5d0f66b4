// Types of the client, written by hand; a test compares the names with those of the sources.

/** Names that the gateway gives; those of services pass through. docs/reference/close-codes.md says what each means. */
export type ErrorName =
  | "NuropbTransportError"
  | "NuropbTimeoutError"
  | "NuropbNotDeliveredError"
  | "NuropbAuthenticationError"
  | "NuropbAuthorizationError"
  | "NuropbValidationError"
  | "NuropbHandlingError"
  | "NuropbMessageError"
  | "NuropbResumeFailed"
  | "SnorkyError"
  | (string & {});

/** What a call ends with in place of a result. */
export class GatewayError extends Error {
  constructor(said: { error: string; description?: string; outcome?: string; reason?: string; code?: number; final?: boolean });
  name: ErrorName;
  /** It may have run, or may still. */
  unknownOutcome: boolean;
  /** It has not run, and may be let through another time. Never true of a client that is closed for good. */
  retryable: boolean;
  /** `closed`: by close(), in the event `close`. Else the gateway's, of a session that could not be resumed. */
  reason?: string;
  /** The close code, where a closed connection is the cause. */
  code?: number;
}

export interface Options {
  /** The user's token, or who knows it: asked at each connect, before it expires, and when it was refused. Without one, cookies count.
   *  A function that throws, rejects, gives no string or does not settle within connectTimeout is asked again later. */
  token?: string | ((why: { refused: boolean; expiring: boolean }) => string | undefined | Promise<string | undefined>);
  /** Where the token goes: in the first message (the gateway's auth.first_message), or, as by default, among the subprotocols. */
  tokenInMessage?: boolean;
  /** Where globalThis has none: of the package ws, say. */
  WebSocket?: unknown;
  /** How long a call may take, in ms; 60000. */
  ttl?: number;
  /** How much longer the gateway's own word on a call that was sent may take, in ms; 3000. */
  grace?: number;
  /** How many calls may wait for a connection; 1000. */
  queue?: number;
  /** Pauses between two connects are random, up to minDelay (200 ms) at first, doubled each time up to maxDelay (20000 ms). */
  minDelay?: number;
  maxDelay?: number;
  /** ms for an attempt to become a session, the token included; 15000. */
  connectTimeout?: number;
  /** After so many ms without a word the gateway is asked for one, and the socket given up if none comes; without it, only by calls. */
  heartbeat?: number;
}
export interface GatewayOptions extends Options {
  /** false: a lost socket is a lost session. */
  resume?: boolean;
}
export interface CallOptions {
  /** ms, from now to the answer, waiting for a connection included. */
  ttl?: number;
  /** Nobody waits any more; what was sent may run all the same. */
  signal?: AbortSignal;
}
export interface RequestOptions extends CallOptions {
  /** It may run twice: it is sent again where nobody knows whether it ran. */
  idempotent?: boolean;
}

export type State = "idle" | "connecting" | "open" | "waiting" | "closed";
export type Off = () => void;
export interface Down {
  code: number;
  reason: string;
  /** ms until the next connect; none where something to say is awaited (4004). */
  delay?: number;
}
export interface Session {
  session_id: string;
  user_id: string;
  username: unknown;
}
export interface MeshEvent {
  topic: string;
  event: any;
  target?: string[] | null;
  context?: any;
  /** Events that a too slow socket has missed before this one. */
  dropped?: number;
  /** Why events before this one may be missing: the session was lost since the last one. */
  gap?: string;
  /** W3C: the span that the event comes from. */
  traceparent?: string;
}

declare class Connection {
  constructor(url: string, options?: Options);
  readonly url: string;
  readonly options: Options;
  readonly state: State;
  /** Why it is closed for good. */
  readonly failure?: Error;
  /** Connects again after it was closed for good. */
  open(): this;
  /** For good: what is not answered yet fails. */
  close(): void;
}

export class Gateway extends Connection {
  constructor(url: string, options?: GatewayOptions);
  readonly session: Session | null;
  request<T = any>(service: string, method: string, params?: unknown, options?: RequestOptions): Promise<T>;
  command(service: string, method: string, params?: unknown, options?: CallOptions): Promise<null>;
  describe(service: string, options?: CallOptions): Promise<any>;
  publish(topic: string, event: unknown, options?: CallOptions & { target?: string[] }): Promise<null>;
  /** The function that comes back ends it. */
  subscribe<T = any>(topic: string, listener: (event: T, whole: MeshEvent) => void, options?: { ttl?: number }): Promise<() => Promise<void>>;
  on(name: "open", listener: (session: Session & { resumed: boolean }) => void): Off;
  on(name: "down", listener: (what: Down) => void): Off;
  /** The session could not be taken up again: events may be missing, the subscriptions are made anew. */
  on(name: "lost", listener: (what: { reason: string }) => void): Off;
  on(name: "close", listener: (why: Error) => void): Off;
  on(name: "event", listener: (event: MeshEvent) => void): Off;
  /** Pushed by a service, backend or operator. */
  on(name: "message", listener: (message: any) => void): Off;
  on(name: "expiring", listener: (what: { session_id: string; expires_at: number; expires_in: number }) => void): Off;
  on(name: "error", listener: (error: GatewayError) => void): Off;
}

export class Service {
  readonly snorky: Snorky;
  readonly name: string;
  call<T = any>(command: string, params?: object, options?: RequestOptions): Promise<T>;
  publish(channel: unknown, message: unknown, options?: RequestOptions): Promise<null>;
  subscribe<T = any>(channel: unknown, listener: (message: T, channel: unknown) => void, options?: CallOptions): Promise<() => Promise<void>>;
  on(listener: (notification: any) => void): Off;
}

export class Snorky extends Connection {
  service(name: string): Service;
  on(name: "open", listener: (what: {}) => void): Off;
  on(name: "down", listener: (what: Down) => void): Off;
  on(name: "close", listener: (why: Error) => void): Off;
  on(name: "message", listener: (message: any) => void): Off;
  on(name: "error", listener: (error: GatewayError) => void): Off;
}

export function connect(url: string, options?: GatewayOptions): Gateway;
export function connectSnorky(url: string, options?: Options): Snorky;
/** Whether AMQP's topic pattern stands for the topic. */
export function matches(pattern: string, topic: string): boolean;
