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

/// Long words can't be spread over a line, so it is not adjusted: .ad says so to groff 1.22, the string AD to 1.23, whose
/// paragraphs each begin with what that string has.
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
      ".SH DESCRIPTION\nMost commands ask nuropb\\-meshd over the socket admin.sock in gateway.runtime_dir of the "
      "settings, "
      "which is open to the gateway's user only: run them as that user. The "
      "commands under mesh, config and token need no running gateway.\n.SH OPTIONS\n";
  options_of(app, out);
  out += ".SH COMMANDS\n";
  command(app, "", out);
  return out +
         ".SH EXIT STATUS\n0: it is so now. 1: it could not be done. 2: the command or the settings are wrong. Others "
         "are "
         "the command's own, and stand with it.\n"
         ".SH SEE ALSO\n.BR nuropb\\-gateway (7),\n.BR nuropb\\-gateway.toml (5)\n";
}

std::string manual_of_gateway() {
  return head("nuropb-gateway", "7", "WebSocket consumers on a NuroPb service mesh") +
         ".SH DESCRIPTION\nConsumers speak WebSocket to small, disposable processes nuropb\\-edge; those hand requests "
         "over "
         "shared memory to one process nuropb\\-meshd, which alone holds the connection to RabbitMQ. An edge that dies "
         "takes "
         "only its own sockets with it; where meshd dies, no socket drops. Every request ends in exactly one outcome.\n"
         ".SH FILES\n.TP\n.I gateway.toml\nThe settings of all processes:\n.BR nuropb\\-gateway.toml (5).\n"
         ".TP\n.I RUNTIME_DIR/admin.sock\nWhere meshd is asked:\n.BR nuropb\\-ctl (1),\n"
         "and GET /metrics.\n.TP\n.I RUNTIME_DIR/admin.key\nThe key that meshd asks for there.\n.TP\n.I "
         "RUNTIME_DIR/meshd.sock\nWhere edges attach.\n"
         ".SH SIGNALS\n.TP\n.B SIGTERM\nmeshd stops; an edge drains: it takes nobody any more, finishes what is "
         "pending, and "
         "closes its sockets (drain.*).\n.TP\n.B SIGHUP\nmeshd reads tokens, keys and policy again, an edge its "
         "certificates. "
         "The launcher scripts/nuropb\\-gateway takes it for new programs or settings and replaces all, one after the "
         "other.\n"
         ".TP\n.B SIGUSR1\nTo the launcher: what SIGHUP is to the others.\n"
         ".TP\n.B SIGUSR2\nTo an edge: drains at once, for another one listens already.\n"
         ".SH EXIT STATUS\n0: after an orderly end. 2: a mistake in the settings. 78: something that starting again "
         "would not "
         "mend.\n.SH SEE ALSO\n.BR nuropb\\-ctl (1),\n.BR nuropb\\-gateway.toml (5)\n";
}

std::string manual_of_settings() {
  return head("nuropb-gateway.toml", "5", "settings of the NuroPb gateway") +
         ".SH DESCRIPTION\nOne TOML file for meshd, the edges and the launcher. A key that is left out has its "
         "default. "
         "Environment variables (NUROPB_LISTEN_PORT=8880) win over the file, \\-\\-set listen.port=8880 over both. "
         "Relative "
         "paths are relative to the file. nuropb\\-ctl config check looks at it, nuropb\\-ctl config default prints a "
         "commented one.\n" +
         config_doc_roff() + ".SH SEE ALSO\n.BR nuropb\\-ctl (1),\n.BR nuropb\\-gateway (7)\n";
}

}  // namespace nuropb::ctl
