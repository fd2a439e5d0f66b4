// The gateway's console: a client like any other, with metrics. No library, and nothing from elsewhere.

import { Calls } from "./calls.js";
import { $, write } from "./dom.js";
import { Events } from "./events.js";
import { Figures } from "./figures.js";
import { GatewaySocket } from "./socket.js";

const about = await (await fetch("api/about")).json();
write($("about"), about.version);

const socket = new GatewaySocket(about.url, {
  onState: (text, good) => write($("state"), text, good ? "good" : "bad"),
  onEvent: (topic, event, failed) => events.show(topic, event, failed),
  onHello: () => events.subscribeAgain(),
});
const calls = new Calls(socket, about.url);
const events = new Events(socket);
const figures = new Figures(about, calls.took);

$("connect").onsubmit = (event) => {
  event.preventDefault();
  const token = $("token").value;
  if (!token) return write($("state"), "a token is needed", "bad");
  socket.connect(token);
  figures.start(token);
  $("disconnect").hidden = false;
};

$("disconnect").onclick = () => {
  socket.disconnect();
  figures.stop();
  $("disconnect").hidden = true;
  $("token").focus();
};

$("connect-button").disabled = false;

// A link may bring the token, as the quickstart's does; it is not left in the address. On another host than this one, an attacker
// may have sent the link, to have an operator work as another user: there the user has to press Connect.
if (location.hash.startsWith("#token=")) {
  $("token").value = decodeURIComponent(location.hash.slice(7));
  history.replaceState(null, "", location.pathname);
  if (["localhost", "127.0.0.1", "[::1]"].includes(location.hostname)) $("connect").requestSubmit();
  else write($("state"), "This link has brought a token. Press Connect if you trust where the link came from.", "bad");
}
