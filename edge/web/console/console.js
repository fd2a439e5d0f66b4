// The gateway's console: a consumer like any other, with charts. No library, nothing from elsewhere.

const $ = (id) => document.getElementById(id);
const keep = 120, mostEvents = 200, look = 1000;
const about = await (await fetch("api/about")).json();
$("about").textContent = about.version;

// One element, its text, its attributes; text never becomes markup.
function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/* The socket */
let socket, wanted = false, pause = 200, retry;
const waiting = new Map(), topics = new Set();

function state(text, good) {
  $("state").textContent = text;
  $("state").className = good ? "good" : "bad";
}

function open() {
  clearTimeout(retry);
  const token = $("token").value;
  const bytes = String.fromCharCode(...new TextEncoder().encode(token));
  const coded = btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const mine = socket = new WebSocket(about.url, ["nuropb", "base64url.bearer.authorization.nuropb." + coded]);
  state("connecting", false);
  mine.onmessage = ({ data }) => mine === socket && heard(JSON.parse(data));
  mine.onclose = ({ code, reason }) => {
    if (mine !== socket) return;
    for (const { reject } of waiting.values()) reject({ error: "closed", description: `the socket closed (${code} ${reason}); it may have run` });
    waiting.clear();
    state(`closed: ${code} ${reason}`, false);
    // 4500 and above: coming again is of no use. Below, with patience, and not all at the same moment.
    if (!wanted || code >= 4500) return;
    retry = setTimeout(open, pause * (0.5 + Math.random()));
    pause = Math.min(pause * 2, 5000);
  };
}

function heard({ type, payload }) {
  if (type === "event" && payload.topic === "hello") {
    pause = 200;
    state(`connected as ${payload.event.user_id}`, true);
    for (const topic of topics) say("subscribe", { topic }).catch((refusal) => lost(topic, refusal));
  } else if (type === "event") {
    const line = element("li", "", {});
    line.append(element("b", payload.topic), " ", JSON.stringify(payload.event));
    $("events").prepend(line);
    while ($("events").childElementCount > mostEvents) $("events").lastElementChild.remove();
  } else if (waiting.has(payload?.trace_id)) {
    const { resolve, reject } = waiting.get(payload.trace_id);
    waiting.delete(payload.trace_id);
    if (payload.error) reject(payload.error);
    else resolve(payload.result);
  }
}

let number = 0;
function say(type, payload) {
  return new Promise((resolve, reject) => {
    if (socket?.readyState !== WebSocket.OPEN) return reject({ error: "not connected", description: "" });
    const trace_id = `console-${Date.now()}-${++number}`;
    waiting.set(trace_id, { resolve, reject });
    socket.send(JSON.stringify({ type, payload: { ...payload, trace_id } }));
  });
}

$("connect").onsubmit = (event) => {
  event.preventDefault();
  wanted = true;
  pause = 200;
  const former = socket;
  open();
  former?.close();
  watch();
};

/* Calls, through a form made from what the service says of itself */
let methods = {};

function show(title, value) {
  $("answer").hidden = false;
  $("answer").textContent = title + "\n" + JSON.stringify(value, null, 2);
}

$("describe").onsubmit = async (event) => {
  event.preventDefault();
  try {
    const told = await say("request", { service: $("service").value, method: "nuropb_describe", params: {} });
    methods = told.methods ?? {};
    $("method").replaceChildren(...Object.keys(methods).map((name) => element("option", name)));
    $("call").hidden = false;
    $("answer").hidden = true;
    fields();
  } catch (refusal) {
    show("refused", refusal);
  }
};

function parameters() {
  const described = methods[$("method").value]?.parameters ?? {};
  const listed = Array.isArray(described.properties) ? described.properties : Object.entries(described.properties ?? {});
  return { listed, required: new Set(described.required ?? []) };
}

function fields() {
  const { listed, required } = parameters();
  $("method-text").textContent = methods[$("method").value]?.description ?? "";
  $("fields").replaceChildren();
  for (const [name, { type = "any", description = "", default: preset } = {}] of listed) {
    const flag = type === "boolean";
    const input = element("input", "", { id: `field-${name}`, "data-name": name, "data-type": type, type: flag ? "checkbox" : "text" });
    if (flag) input.checked = preset === true;
    else if (preset !== undefined && preset !== null && preset !== "") input.value = typeof preset === "string" ? preset : JSON.stringify(preset);
    const label = element("label", `${name}: ${type}${required.has(name) ? "" : " (optional)"} ${description}`, { for: input.id });
    $("fields").append(label, input);
    input.oninput = compose;
  }
  compose();
}

function value(input) {
  if (input.type === "checkbox") return input.checked;
  if (/^(str|string)/.test(input.dataset.type)) return input.value;
  try { return JSON.parse(input.value); } catch { return input.value; }
}

// What the fields say; the JSON below them is what is sent, and may be changed.
function compose() {
  const { required } = parameters();
  const params = {};
  for (const input of $("fields").querySelectorAll("input")) {
    if (input.type === "checkbox" || input.value !== "" || (required.has(input.dataset.name) && /^(str|string)/.test(input.dataset.type)))
      params[input.dataset.name] = value(input);
  }
  $("raw").value = JSON.stringify(params);
}

$("method").onchange = fields;
const took = [];  // how long calls of ours took, ms
$("call").onsubmit = async (event) => {
  event.preventDefault();
  try {
    const params = JSON.parse($("raw").value), begun = performance.now();
    const result = await say("request", { service: $("service").value, method: $("method").value, params });
    const ms = performance.now() - begun;
    took.push(ms);
    show(`answer, ${ms.toFixed(1)} ms`, result);
  } catch (refusal) {
    show("refused", refusal instanceof Error ? String(refusal) : refusal);
  }
};

/* Events */
function lost(topic, refusal) {
  topics.delete(topic);
  list();
  $("events").prepend(element("li", `${topic}: ${refusal.error} ${refusal.description}`, { class: "bad" }));
}

function list() {
  $("topics").replaceChildren(...[...topics].map((topic) => {
    const button = element("button", `${topic} ✕`, { type: "button", title: "do not watch it any more" });
    button.onclick = () => {
      topics.delete(topic);
      list();
      say("unsubscribe", { topic }).catch(() => {});
    };
    const item = element("li");
    item.append(button);
    return item;
  }));
}

$("subscribe").onsubmit = async (event) => {
  event.preventDefault();
  const topic = $("topic").value;
  try {
    await say("subscribe", { topic });
    topics.add(topic);
    list();
  } catch (refusal) {
    lost(topic, refusal);
  }
};

$("publish").onsubmit = async (event) => {
  event.preventDefault();
  const topic = $("event-topic").value;
  try {
    await say("event", { topic, event: JSON.parse($("event").value) });
  } catch (refusal) {
    $("events").prepend(element("li", `${topic}: ${refusal instanceof Error ? refusal : `${refusal.error} ${refusal.description}`}`, { class: "bad" }));
  }
};

/* Figures and charts */
const past = { requests: [], events: [], open: [], waiting: [], low: [], high: [] };
let before, watching;

function watch() {
  clearTimeout(watching);
  before = undefined;
  figures();
}

async function figures() {
  clearTimeout(watching);
  try {
    const answer = await fetch("api/status", { headers: { Authorization: "Bearer " + $("token").value }, cache: "no-store" });
    const said = await answer.json();
    if (!answer.ok) throw new Error(`${said.error}: ${said.description}`);
    $("figures-state").textContent = "";
    drawFigures(said);
  } catch (failure) {
    $("figures-state").textContent = "no figures: " + failure.message;
    before = undefined;
  }
  watching = setTimeout(figures, look);
}

// What half, and 99 of 100, took at most since the last look; nothing if nobody was counted.
function quantiles(now, then) {
  const total = now.counts.map((count, i) => count - (then?.counts[i] ?? 0));
  const all = total.at(-1);
  if (!(all > 0)) return [];
  return [0.5, 0.99].map((share) => {
    const place = total.findIndex((count) => count >= all * share);
    return 1000 * (now.le[place] ?? now.le[place - 1] ?? 0);
  });
}

function drawFigures(now) {
  const at = performance.now();
  const seconds = before ? (at - before.at) / 1000 : 0;
  const same = before && before.pid === now.pid;
  const rate = (to, from) => (same && from !== undefined && seconds > 0 ? Math.max(0, (to - from) / seconds) : 0);
  const requests = rate(now.counts.requests, before?.counts.requests), events = rate(now.counts.events, before?.counts.events);
  const numbers = { broker: now.broker.state, up: `${now.uptime_s} s`, sessions: now.sessions, workers: now.workers.length, "requests/s": requests.toFixed(0), "timeouts": now.counts.timeouts, topics: now.topics, killed: now.counts.killed_workers };
  $("numbers").replaceChildren(...Object.entries(numbers).map(([name, text]) => {
    const pair = element("div");
    pair.append(element("dt", name), element("dd", text, { id: "number-" + name.replace("/", "-") }));
    return pair;
  }));
  const chosen = now.latencies.find(({ name }) => name === "request_seconds");
  let [low, high] = chosen ? quantiles(chosen, same ? before.latencies.find((one) => one.name === chosen.name && one.labels === chosen.labels) : undefined) : [];
  if (!chosen && took.length) [low, high] = [Math.min(...took), Math.max(...took)];
  took.length = 0;
  $("latency-key").textContent = chosen ? `median, 99 %: ${chosen.name} ${chosen.labels}` : "of calls from this page";
  for (const [name, point] of Object.entries({ requests, events, open: now.sessions, waiting: now.sessions_waiting, low, high })) {
    past[name].push(point ?? past[name].at(-1) ?? 0);
    if (past[name].length > keep) past[name].shift();
  }
  drawAll();
  $("workers").replaceChildren(...now.workers.map((worker) => {
    const then = before?.workers.find(({ pid }) => pid === worker.pid);
    const row = element("tr", "", { "data-pid": worker.pid });
    row.append(element("td", `${worker.slot}.${worker.generation}`), element("td", worker.pid), element("td", worker.sessions),
      element("td", rate(worker.requests, then?.requests).toFixed(0)));
    for (const { bytes, capacity } of [worker.request_ring, worker.return_ring]) {
      const cell = element("td");
      cell.append(element("progress", "", { max: capacity, value: bytes }), ` ${(100 * bytes / capacity).toFixed(0)} %`);
      row.append(cell);
    }
    row.append(element("td", worker.silent_s > 1 ? `silent for ${worker.silent_s} s` : "ok", { class: worker.silent_s > 1 ? "bad" : "good" }));
    const last = element("td");
    if (about.kill_workers) {
      const button = element("button", "Kill", { type: "button" });
      button.onclick = () => kill(worker);
      last.append(button);
    }
    row.append(last);
    return row;
  }));
  before = { ...now, at };
}

async function kill({ slot }) {
  const answer = await fetch("api/kill", { method: "POST", headers: { Authorization: "Bearer " + $("token").value }, body: JSON.stringify({ slot }) });
  if (!answer.ok) $("figures-state").textContent = (await answer.json()).description;
  figures();
}

function chart(id, ...series) {
  const canvas = $(id), style = getComputedStyle(document.documentElement);
  const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const most = Math.max(1, ...series.flat());
  series.forEach((points, which) => {
    pen.strokeStyle = style.getPropertyValue(which ? "--two" : "--one");
    pen.lineWidth = 1.5;
    pen.beginPath();
    points.forEach((point, i) => pen.lineTo((width * (keep - points.length + i)) / (keep - 1), height - 4 - ((height - 8) * point) / most));
    pen.stroke();
  });
  pen.fillStyle = style.getPropertyValue("--faint");
  pen.font = "11px system-ui, sans-serif";
  pen.fillText(most >= 10 ? most.toFixed(0) : most.toFixed(1), 4, 12);
}

function drawAll() {
  chart("rates", past.requests, past.events);
  chart("latency", past.low, past.high);
  chart("sessions", past.open, past.waiting);
}

matchMedia("(prefers-color-scheme: dark)").onchange = drawAll;
onresize = drawAll;
// A link may bring the token, as the quickstart's does; it is not left in the address.
if (location.hash.startsWith("#token=")) {
  $("token").value = decodeURIComponent(location.hash.slice(7));
  history.replaceState(null, "", location.pathname);
  $("connect").requestSubmit();
}
