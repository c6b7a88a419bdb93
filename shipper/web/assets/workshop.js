const EXAMPLE = { id: "my-rule", match: "ERROR (?<what>.*)", event: "MyError", content: "{hostname} {path}: {what}" };
const TEXTS = ["id", "description", "match", "event", "content", "group_id"];
const workshop = {
  form: { ...EXAMPLE }, more: "", grok: {}, mode: "paste", lines: "2026-01-01 10:00:00 ERROR disk full\n2026-01-01 10:00:01 INFO all is well", file: null, end: null,
  onlyMatches: false, result: null, said: "", timer: 0, asking: null,
  take(rule) { this.form = structuredClone(rule.form); this.more = rule.more; this.grok = rule.grok; this.result = null; },
  frame() {
    const start = make("select", { id: "start", onchange: () => { const rule = this.known.find((each) => each.id === start.value); this.take(rule || { form: { ...EXAMPLE }, more: "", grok: {} }); show(); } });
    this.fillStart(start);
    const field = (name, tall) => {
      const made = make(tall ? "textarea" : "input", { id: "f-" + name, rows: tall, spellcheck: "false", class: "mono", value: this.read(name), oninput: () => { this.write(name, made.value); this.soon(); } });
      return make("div", { class: "field" }, make("label", { for: "f-" + name }, say("f_" + name)), made);
    };
    const check = (name) => { const made = make("input", { type: "checkbox", checked: Boolean(this.form[name]), onchange: () => { this.write(name, made.checked); this.soon(); } }); return make("label", null, made, " ", say("f_" + name)); };
    const paste = make("textarea", { id: "paste", rows: 6, spellcheck: "false", class: "mono", placeholder: say("ws_paste_here"), "aria-label": say("ws_paste_here"), value: this.lines, oninput: () => { this.lines = paste.value; this.soon(); } });
    const choose = make("select", { id: "file", "aria-label": say("ws_file"), onchange: () => { this.file = choose.value; this.end = null; this.soon(); } });
    this.fillFiles(choose);
    const way = make("select", { id: "mode", onchange: () => { this.mode = way.value; this.end = null; show(); } }, make("option", { value: "paste" }, say("ws_paste")), make("option", { value: "file" }, say("ws_file")));
    way.value = this.mode;
    const only = make("input", { type: "checkbox", checked: this.onlyMatches, onchange: () => { this.onlyMatches = only.checked; this.paint(); } });
    queueMicrotask(() => this.soon(0));
    return [make("h2", null, say("workshop")), make("p", { class: "soft" }, say("ws_why")),
      make("div", { class: "bench" },
        make("section", { class: "box", "aria-label": say("rule") },
          make("div", { class: "field" }, make("label", { for: "start" }, say("ws_start")), start),
          field("id"), field("description"), field("match", 3), field("ignore", 2), field("event"), field("content", 2), field("group_id"), field("sources"),
          make("div", { class: "field checks" }, check("final"), check("shadow")), field("more", 4),
          make("h3", null, say("f_tests")), make("ul", { id: "ws-tests", class: "events" })),
        make("div", null,
          make("section", { class: "box", "aria-label": say("ws_lines") },
            make("div", { class: "row" }, make("label", { for: "mode" }, say("ws_lines")), way, this.mode === "file" ? choose : null,
              this.mode === "file" ? make("button", { type: "button", onclick: () => { this.end = null; this.soon(0); } }, say("refresh")) : null,
              make("label", null, only, " ", say("only_matches"))),
            this.mode === "paste" ? make("div", { class: "field" }, paste) : null,
            make("p", { id: "ws-said", role: "status", class: "soft" }), make("ul", { id: "ws-problems", class: "findings" }), make("ol", { id: "ws-lines", class: "lines" })),
          make("section", { class: "box" }, make("div", { class: "row" }, make("h3", null, say("finished")), make("button", { type: "button", class: "main", onclick: () => this.copy() }, say("copy")),
            make("span", { id: "ws-copied", role: "status" })), make("p", { class: "soft" }, say("save_hint")), make("pre", { id: "ws-toml", tabindex: "0" }))))];
  },
  read(name) {
    if (name === "more") return this.more;
    const value = this.form[name];
    return value === undefined ? "" : name === "ignore" ? value.join("\n") : name === "sources" ? value.join(", ") : String(value);
  },
  write(name, value) {
    if (name === "more") { this.more = value; return; }
    let kept = value;
    if (name === "ignore") kept = value.split("\n").filter(Boolean);
    if (name === "sources") kept = value.split(",").map((each) => each.trim()).filter(Boolean);
    if (name === "group_id" && /^[0-9]{1,15}$/.test(value)) kept = Number(value);
    if (kept === "" || kept === false || (Array.isArray(kept) && !kept.length)) delete this.form[name]; else this.form[name] = kept;
  },
  async fillStart(select) {
    select.append(make("option", { value: "" }, say("ws_new")));
    try { this.known = await ask("/api/rules"); } catch { this.known = []; }
    select.append(...this.known.map((rule) => make("option", { value: rule.id }, rule.id)));
    if (this.known.some((rule) => rule.id === this.form.id)) select.value = this.form.id;
  },
  async fillFiles(select) {
    if (this.mode !== "file") return;
    const status = await ask("/status?files=" + FILES_SHOWN).catch(() => null);
    const paths = status && status.files ? status.files.listed.filter(mayTry).map((file) => file.path) : [];
    if (this.file && !paths.includes(this.file)) paths.unshift(this.file);
    select.append(...paths.map((path) => make("option", { value: path }, path)));
    if (this.file === null && paths.length) this.file = paths[0];
    if (this.file !== null) select.value = this.file;
    this.soon(0);
  },
  soon(wait = 300) { clearTimeout(this.timer); this.timer = setTimeout(() => this.run(), wait); },
  async run() {
    if (current !== "workshop" || (this.mode === "file" && this.file === null)) return;
    if (this.asking) this.asking.abort();
    const asking = this.asking = new AbortController();
    this.tell(say("trying"));
    const body = { rule: this.form, more: this.more, grok: this.grok };
    if (this.mode === "file") { body.file = this.file; body.end = this.end; } else body.lines = this.lines;
    try {
      const result = await ask("/api/workshop", body, asking.signal);
      if (asking.signal.aborted) return;
      this.result = result;
      // the same lines again, while the rule is being changed and the log grows
      this.end = result.end;
      this.paint();
    } catch (error) {
      if (error.name !== "AbortError") { this.result = null; this.paint(); this.tell(error.message, true); }
    }
  },
  tell(text, bad) { const place = document.getElementById("ws-said"); if (place) { place.textContent = text; place.className = bad ? "error" : "soft"; } },
  paint() {
    const lines = document.getElementById("ws-lines");
    if (!lines) return;
    const { result } = this;
    document.getElementById("ws-problems").replaceChildren(...(result ? result.problems : []).map((each) => make("li", { class: each.warning ? "degraded" : "unhealthy" },
      make("span", null, make("strong", null, say(each.warning ? "warning" : "problem")), each.line ? ` (${say("line")} ${each.line})` : "", ": ", each.message))));
    document.getElementById("ws-toml").textContent = result ? result.toml : "";
    const hits = result ? result.lines.filter((line) => line.outcome === "matched").length : 0;
    if (result) {
      const times = result.seconds ? ` · ${say("mean")} ${span(result.seconds.mean)}, ${say("most")} ${span(result.seconds.most)} ${say("a_line")}` : "";
      this.tell(`${count(result.lines.length)} ${say("tried")}, ${count(hits)} ${say("hit")}${times}` + (result.untried ? ` · ${count(result.untried)} ${say("untried")}` : "")
        + (result.left_off ? ` · ${count(result.left_off)} ${say("left_off")}` : ""));
    }
    const shown = (result ? result.lines : []).filter((line) => !this.onlyMatches || line.outcome === "matched");
    lines.replaceChildren(...(shown.length ? shown.map((line) => this.line(line)) : [make("li", { class: "soft" }, say("no_lines"))]));
    this.paintTests();
  },
  line(line) {
    const text = line.segments.map((piece) => piece.capture ? make("mark", { class: "capture", title: piece.capture }, piece.text) : piece.match ? make("mark", null, piece.text) : piece.text);
    const name = { matched: "matched", ignored: "ignored", "no match": "no_match", "timed out": "timed_out", untried: "untried_1" }[line.outcome] || line.outcome;
    const plain = line.segments.map((piece) => piece.text).join("");
    const facts = [];
    for (const [capture, value] of Object.entries(line.captures || {})) facts.push(make("dt", null, capture), make("dd", null, value === null ? say("took_no_part") : value));
    if (line.more_captures) facts.push(make("dt", null, "…"), make("dd", null, `+ ${count(line.more_captures)}`));
    if (line.event) facts.push(make("dt", null, say("event")), make("dd", null, make("strong", null, line.event.name), ` · ${line.event.time} · ${say("group")} ${line.event.groupId}`, make("pre", null, line.event.content)));
    return make("li", null, make("pre", null, text), make("div", { class: "soft" },
      make("span", { class: "tag " + line.outcome.replace(" ", "") }, say(name)), line.seconds === null || line.seconds === undefined ? "" : " " + span(line.seconds), line.reason ? " · " + line.reason : "", " ",
      line.outcome === "untried" ? null : make("button", { type: "button", class: "quiet", onclick: () => this.addTest(plain, line) }, say("add_match"))),
      facts.length ? make("dl", null, facts) : null);
  },
  addTest(text, line) {
    const star = (value) => value.replaceAll("*", "\\*");
    const expect = line.outcome === "matched" ? { event: star(line.event.name) } : "no match";
    this.form.test = [...(this.form.test || []), { line: text, expect }];
    this.soon(0);
  },
  paintTests() {
    const tests = this.form.test || [];
    const outcomes = this.result ? this.result.tests : [];
    document.getElementById("ws-tests").replaceChildren(...tests.map((test, place) => {
      const outcome = outcomes[place];
      const state = outcome ? make("span", { class: "tag " + (outcome.passed ? "passed" : "failed") }, say(outcome.passed ? "passed" : "did_fail")) : null;
      return make("li", null, state, " ", make("code", null, (test.line ?? (test.lines || []).join(" ⏎ ")).slice(0, 300)), make("div", { class: "soft" }, `${say("expected")}: ${typeof test.expect === "string" ? test.expect : JSON.stringify(test.expect)}`),
        outcome && !outcome.passed ? outcome.differences.map((each) => make("div", { class: "failed" }, `${each.key}: ${say("expected")} ${each.expected}, ${say("got")} ${each.got}`)) : null,
        make("button", { type: "button", class: "quiet", onclick: () => { tests.splice(place, 1); if (!tests.length) delete this.form.test; this.soon(0); } }, say("remove")));
    }));
  },
  async copy() {
    const place = document.getElementById("ws-copied");
    try { await navigator.clipboard.writeText(this.result ? this.result.toml : ""); place.textContent = say("copied"); }
    catch { const area = document.createRange(); area.selectNodeContents(document.getElementById("ws-toml")); getSelection().removeAllRanges(); getSelection().addRange(area);
      place.textContent = document.execCommand("copy") ? say("copied") : say("copy_fail"); }
  },
};
