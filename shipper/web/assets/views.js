const FILES_SHOWN = 300;
function card(title, big, ...lines) {
  return make("div", { class: "card" }, make("div", { class: "soft" }, title), make("div", { class: "big" }, big),
    lines.filter(Boolean).map((line) => make("div", { class: "soft" }, line)));
}
const findings = (status) => status.findings.length ? make("ul", { class: "findings" }, status.findings.map((each) =>
  make("li", { class: each.health }, make("span", null, make("strong", null, each.what), ": ", each.reason,
    each.since ? ` (${say("since")} ${at(each.since)})` : "")))) : null;

const overview = {
  async load(status) {
    const minutes = await ask("/api/history");
    const { queue, files, delivery, process, reload } = status;
    const lost = status.losses.map((each) => `${count(each.amount)} ${each.what} (${each.reason})`);
    return [
      make("h2", null, say("overview")), findings(status),
      make("div", { class: "cards" },
        card(say("queue"), count(queue.events), `${say("waiting")}, ${bytes(queue.bytes)}`, `${(100 * queue.bytes / Math.max(queue.limit, 1)).toFixed(1)} % ${say("of_limit")}`),
        files && card(say("lag"), bytes(files.lag), say("bytes_unread"), files.lag ? `${say("oldest")}: ${span(files.lag_seconds)}` : `${count(files.count)} ${say("files_n")}`),
        delivery && card(say("delivery"), count(delivery.delivered), say("delivered"), `${say("last_accepted")}: ${at(delivery.accepted_at)}`,
          `${count(delivery.failed)} ${say("failed")}, ${count(delivery.throttled)} ${say("throttled")}`),
        card(say("losses"), lost.length ? count(status.losses.length) : say("none"), ...lost),
        card(say("dead"), count(status.dead_letters), say("dead_said"), status.unjudged ? `${count(status.unjudged)} ${say("places")}` : null)),
      make("section", { class: "box" }, make("h3", null, say("per_minute")), chart(minutes)),
      make("section", { class: "box" }, make("dl", { class: "facts" },
        process && [make("dt", null, say("agent")), make("dd", null, `${say("version")} ${process.version}, pid ${process.pid}, ${say("since")} ${at(process.started_at)}, ${process.scanner}`)],
        reload && [make("dt", null, say("rules")), make("dd", null, `${count(reload.rules)} ${say("in_force")} ${at(reload.at)}`, reload.refused ? `; ${say("refused_edit")}` : "")],
        delivery && [make("dt", null, say("clock")), make("dd", null, delivery.clock_offset ? `${delivery.clock_offset.toFixed(0)} ${say("clock_off")}` : say("clock_good"))],
        delivery && delivery.last_error && [make("dt", null, say("last_error")), make("dd", null, `${at(delivery.failed_at)}: ${delivery.last_error}`)])),
    ];
  },
};

const files = {
  glob: "",
  async load() {
    const status = await ask(`/status?files=${FILES_SHOWN}&glob=${encodeURIComponent(this.glob)}`);
    const listed = status.files ? status.files.listed : [];
    const left = status.files ? status.files.count - listed.length : 0;
    const name = (state) => say(state === "waiting" ? "waiting_state" : state);
    const rows = listed.map((file) => [
      make("span", { class: "tag" + (file.state === "failing" ? " failed" : "") }, name(file.state)), make("span", { class: "mono" }, file.path), file.sources.join(", "),
      file.offset === null ? "" : count(file.offset) + (file.size === null ? "" : " / " + count(file.size)), file.lag ? bytes(file.lag) : "", file.reason,
      mayTry(file) ? make("button", { type: "button", onclick: () => { workshop.file = file.path; workshop.mode = "file"; location.hash = "workshop"; } }, say("try_file")) : ""]);
    const heads = [[say("state"), ""], [say("path"), ""], [say("source"), ""], [say("place"), "number"], [say("lag"), "number"], [say("reason"), ""], ["", ""]];
    if (!status.files) return make("p", null, say("loop_busy"));
    return rows.length ? [table(`${count(status.files.count)} ${say("files_n")}`, heads, rows), left > 0 ? make("p", { class: "soft" }, `${count(left)} ${say("more_files")}`) : null]
      : make("p", null, say("no_files"));
  },
  frame(box) {
    const field = make("input", { id: "glob", value: this.glob, placeholder: say("filter_hint"), onchange: () => { this.glob = field.value.trim(); refresh(true); } });
    return [make("h2", null, say("files")), make("div", { class: "row" }, make("label", { for: "glob" }, say("filter")), field,
      make("button", { type: "button", onclick: () => refresh(true) }, say("refresh"))), box];
  },
};

const rules = {
  known: [], at: null,
  async load(status) {
    // the rules themselves change with a reload only
    if (!status.reload || status.reload.at !== this.at) {
      this.known = await ask("/api/rules");
      this.at = status.reload && status.reload.at;
    }
    const hits = new Map((status.rules || []).map((rule) => [rule.id, rule]));
    const zero = { matched: 0, ignored: 0, below: 0, held: 0, timed_out: 0, judged: 0, seconds: 0 };
    const rows = this.known.map((rule) => ({ rule, hit: hits.get(rule.id) || zero })).sort((a, b) => b.hit.matched - a.hit.matched).map(({ rule, hit }) => [
      [make("details", null, make("summary", null, make("strong", null, rule.id), rule.shadow ? [" ", make("span", { class: "tag shadow" }, say("shadow"))] : "",
        hit.every_line ? [" ", make("span", { class: "tag ignored" }, say("every_line"))] : ""), make("pre", null, rule.toml)), make("div", { class: "soft" }, rule.description), make("div", { class: "soft mono" }, `${rule.file.split("/").pop()}:${rule.line}`)],
      count(hit.matched), hit.last ? at(hit.last) : "", count(hit.ignored), count(hit.below + hit.held), count(hit.timed_out),
      hit.judged ? `${span(hit.seconds / hit.judged)} × ${count(hit.judged)}` : "", count(rule.tests),
      make("button", { type: "button", onclick: () => { workshop.take(rule); location.hash = "workshop"; } }, say("edit"))]);
    const heads = [[say("rule"), ""], [say("matches"), "number"], [say("last_match"), "time"], [say("ignored_n"), "number"], [say("kept_back"), "number"], [say("timeouts"), "number"],
      [say("cost"), "number"], [say("tests"), "number"], ["", ""]];
    return rows.length ? table(`${count(rows.length)} ${say("rules_n")}`, heads, rows) : make("p", null, say("no_rules"));
  },
  frame(box) {
    return [make("h2", null, say("rules")), make("div", { class: "row" }, make("button", { type: "button", onclick: () => refresh(true) }, say("refresh"))), box];
  },
};

const events = {
  rule: "", paused: false, after: 0, kept: [],
  async load() {
    if (!this.paused) {
      const news = await ask("/api/events?after=" + this.after);
      if (news.after < this.after) { this.kept = []; this.after = 0; return this.load(); }
      this.after = news.after;
      this.kept = [...this.kept, ...news.events].slice(-500);
    }
    this.choose();
    const shown = this.kept.filter((event) => !this.rule || event.meta.rule === this.rule).reverse().slice(0, 200);
    if (!shown.length) return make("p", null, say("no_recent"));
    return make("ol", { class: "events" }, shown.map((event) => make("li", null,
      make("div", null, make("span", { class: "name" }, event.name), " ", event.meta.shadow ? make("span", { class: "tag shadow" }, say("shadow")) : null,
        make("span", { class: "soft" }, ` ${event.time} · ${say("rule")} ${event.meta.rule}` + (event.groupId ? ` · ${say("group")} ${event.groupId}` : ""))),
      make("pre", null, event.content),
      make("div", { class: "soft" }, `${say("from_line")} ${event.meta.path} @${event.meta.offset} `,
        event.line === null ? say("line_gone") : make("button", { type: "button", onclick: () => { workshop.lines = event.line; workshop.mode = "paste"; location.hash = "workshop"; } }, say("event_line"))),
      event.line !== null && event.line !== event.content ? make("pre", { class: "soft" }, event.line) : null)));
  },
  choose() {
    const names = [...new Set(this.kept.map((event) => event.meta.rule))].sort();
    const select = document.getElementById("rule");
    if (!select || select.dataset.names === names.join("\n")) return;
    select.dataset.names = names.join("\n");
    select.replaceChildren(make("option", { value: "" }, say("all_rules")), ...names.map((name) => make("option", { value: name }, name)));
    select.value = this.rule;
  },
  frame(box) {
    const select = make("select", { id: "rule", onchange: () => { this.rule = select.value; refresh(true); } });
    const pause = make("button", { type: "button", "aria-pressed": String(this.paused), onclick: () => {
      this.paused = !this.paused; pause.textContent = say(this.paused ? "go_on" : "pause"); pause.setAttribute("aria-pressed", String(this.paused)); refresh(true);
    } }, say(this.paused ? "go_on" : "pause"));
    return [make("h2", null, say("events")), make("div", { class: "row" }, make("label", { for: "rule" }, say("rule")), select, pause), box];
  },
};

const letters = {
  chosen: new Set(), said: "",
  async load() {
    const found = await ask("/api/dead-letters");
    const there = new Set(found.letters.map((letter) => letter.id));
    this.chosen = new Set([...this.chosen].filter((id) => there.has(id)));
    const rows = found.letters.map((letter) => [
      make("input", { type: "checkbox", "aria-label": letter.id, checked: this.chosen.has(letter.id), onchange: (event) => { event.target.checked ? this.chosen.add(letter.id) : this.chosen.delete(letter.id); } }),
      letter.id, at(letter.died_at), letter.rule, make("div", null, make("strong", null, letter.event.name ?? ""), make("pre", null, letter.event.content ?? letter.event.payload ?? "")),
      `${letter.code} ${letter.message}`, letter.what_to_do || ""]);
    const heads = [["", ""], ["id", ""], [say("refused_at"), "time"], [say("rule"), ""], [say("event"), ""], [say("code"), ""], [say("what_to_do"), ""]];
    return [
      rows.length ? table(`${count(found.counts.letters)} ${say("dead_said")}`, heads, rows) : make("p", null, say("no_letters")),
      found.places.length ? [make("h3", null, `${count(found.counts.places)} ${say("places")}`), make("p", { class: "soft" }, say("places_why")),
        make("ul", null, found.places.map((each) => make("li", null, `${each.rule}: ${each.path} @${each.offset} `, make("code", null, each.judge_again))))] : null];
  },
  async change(deed, all) {
    const ids = all ? null : [...this.chosen].map(Number);
    if (!all && !ids.length) return;
    try {
      const answer = await ask("/api/dead-letters", { do: deed, ids });
      this.said = `${count(answer.done.length)} ${say("did")}`;
    } catch (error) { this.said = error.message; }
    document.getElementById("letters-said").textContent = this.said;
    refresh(true);
  },
  frame(box) {
    const button = (deed, all) => {
      let sure = deed !== "drop";
      const text = () => say(deed) + ": " + say(all ? "all" : "chosen");
      const made = make("button", { type: "button", onclick: () => {
        // what is dropped is gone: the second press means it
        if (!sure) { sure = true; made.textContent = say("drop_sure"); setTimeout(() => { sure = false; made.textContent = text(); }, 5000); return; }
        sure = deed !== "drop"; made.textContent = text(); this.change(deed, all);
      } }, text());
      return made;
    };
    return [make("h2", null, say("letters")), make("div", { class: "row" }, button("retry", false), button("retry", true), button("drop", false), button("drop", true),
      make("span", { id: "letters-said", role: "status" }, this.said)), box];
  },
};
