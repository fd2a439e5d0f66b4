#include "meshd/ctl/manual.hpp"

#include <cctype>

namespace nuropb::ctl {
namespace {

std::string roff(std::string_view text) {
  std::string out;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    line_begins = c == '\n';
    if (c == '\\') out += "\\e";
    else if (c == '-') out += "\\-";
    else if (c == '\n') out += "\n.br\n";
    else out += c;
  }
  return out;
}

/// Disables adjusting, because long words leave wide gaps: .ad for groff 1.22, the string AD for 1.23, whose paragraphs
/// each begin with its content.
std::string head(const std::string& name, const char* section, const std::string& about) {
  return ".TH \"" + roff(name) + "\" " + section +
         " \"\" \"nuropb-gateway " NUROPB_VERSION "\" \"NuroPb gateway\"\n.ds AD l\n.ad l\n" + ".SH NAME\n" +
         roff(name) + " \\- " + roff(about) + "\n";
}

/// "--user TEXT", "SLOT", "[PARAMS]"
std::string spelled(const CLI::Option& option) {
  if (option.get_positional()) {
    std::string name = option.get_name(true);
    for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return option.get_required() ? name : "[" + name + "]";
  }
  std::string out;
  for (const std::string& name : option.get_lnames()) out += (out.empty() ? "--" : ", --") + name;
  return option.get_items_expected_max() == 0 ? out : out + " " + option.get_type_name();
}

void options_of(const CLI::App& app, std::string& out) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->check_name("--help")) continue;
    out += ".TP\n.B " + roff(spelled(*option)) + "\n" + roff(option->get_description());
    if (!option->get_default_str().empty()) out += " (default: " + roff(option->get_default_str()) + ")";
    out += "\n";
  }
}

void command(const CLI::App& app, const std::string& path, std::string& out) {
  const auto subs = app.get_subcommands([](const CLI::App*) { return true; });
  if (subs.empty()) {
    std::string line = path;
    for (const CLI::Option* option : app.get_options()) {
      if (option->get_positional()) line += " " + spelled(*option);
    }
    out += ".SS " + roff(line) + "\n" + roff(app.get_description()) + "\n";
    options_of(app, out);
  }
  for (const CLI::App* sub : subs) command(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), out);
}

}  // namespace

std::string manual_of_commands(const CLI::App& app) {
  std::string out = head("nuropb-ctl", "1", app.get_description());
  out +=
      ".SH SYNOPSIS\n.B nuropb\\-ctl\n[\\-\\-config FILE] [\\-\\-set SECTION.KEY=VALUE]... [\\-\\-json] COMMAND\n"
      ".SH DESCRIPTION\nMost commands send requests to nuropb\\-meshd over the socket admin.sock in "
      "gateway.runtime_dir of the "
      "settings, "
      "which is open to the gateway's user only: run them as that user. The "
      "commands under mesh, config and token need no running gateway.\n.SH OPTIONS\n";
  options_of(app, out);
  out += ".SH COMMANDS\n";
  command(app, "", out);
  return out +
         ".SH EXIT STATUS\n0: done. 1: it could not be done. 2: the command or the settings are wrong. Other codes "
         "are specific to a command and listed with it.\n"
         ".SH SEE ALSO\n.BR nuropb\\-gateway (7),\n.BR nuropb\\-gateway.toml (5)\n";
}

std::string manual_of_gateway() {
  return head("nuropb-gateway", "7", "WebSocket clients on a NuroPb service mesh") +
         ".SH DESCRIPTION\nClients connect over WebSocket to small, disposable processes nuropb\\-edge, which pass "
         "requests through shared memory to one process nuropb\\-meshd, the only one that is connected to RabbitMQ. "
         "When "
         "an edge dies, only its own sockets are lost; when meshd dies, no socket is lost. Every request ends in "
         "exactly one outcome.\n"
         ".SH FILES\n.TP\n.I gateway.toml\nThe settings of all processes:\n.BR nuropb\\-gateway.toml (5).\n"
         ".TP\n.I RUNTIME_DIR/admin.sock\nThe admin socket of meshd, for\n.BR nuropb\\-ctl (1),\n"
         "and GET /metrics.\n.TP\n.I RUNTIME_DIR/admin.key\nThe key that the admin socket requires.\n.TP\n.I "
         "RUNTIME_DIR/meshd.sock\nWhere edges attach.\n"
         ".SH SIGNALS\n.TP\n.B SIGTERM\nmeshd stops; an edge drains: it accepts no new clients, finishes "
         "pending requests, and closes its sockets (drain.*).\n.TP\n.B SIGHUP\nmeshd reloads tokens, keys and policy, "
         "an edge its "
         "certificates. The launcher scripts/nuropb\\-gateway replaces all processes, one after the other, to apply "
         "new "
         "programs or settings.\n"
         ".TP\n.B SIGUSR1\nThe launcher sends SIGHUP to meshd and the edges.\n"
         ".TP\n.B SIGUSR2\nAn edge drains at once, because another one already listens.\n"
         ".SH EXIT STATUS\n0: orderly shutdown. 2: a mistake in the settings. 78: an error that a restart cannot "
         "fix.\n.SH SEE ALSO\n.BR nuropb\\-ctl (1),\n.BR nuropb\\-gateway.toml (5)\n";
}

std::string manual_of_settings() {
  return head("nuropb-gateway.toml", "5", "settings of the NuroPb gateway") +
         ".SH DESCRIPTION\nOne TOML file for meshd, the edges and the launcher. A missing key has its "
         "default. Environment variables (NUROPB_LISTEN_PORT=8880) override the file, \\-\\-set listen.port=8880 "
         "overrides both. "
         "Relative paths are relative to the file. nuropb\\-ctl config check checks it, nuropb\\-ctl config default "
         "prints a "
         "commented file.\n" +
         config_doc_roff() + ".SH SEE ALSO\n.BR nuropb\\-ctl (1),\n.BR nuropb\\-gateway (7)\n";
}

}  // namespace nuropb::ctl
