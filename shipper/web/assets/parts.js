// the only way in which anything becomes part of the page: text stays text, whatever a log holds
function make(tag, props, ...children) {
  const made = tag === "svg" || SVG_TAGS.has(tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined).map((c) => typeof c === "object" ? c : printable(String(c))));
  return made;
}
const SVG_TAGS = new Set(["svg", "rect", "text", "line", "g", "title"]);
// marks that turn text around or are not seen could make a line look like another; tab, newline and how an emoji looks stay
function printable(text) {
  return text.replace(/(?![\t\n\ufe0e\ufe0f])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu, (mark) => {
    const code = mark.codePointAt(0).toString(16);
    return "\\" + (code.length > 4 ? "U" + code.padStart(8, "0") : "u" + code.padStart(4, "0"));
  });
}
const startToken = new URLSearchParams(location.search).get("token");
if (startToken) {
  sessionStorage.setItem("token", startToken);
  history.replaceState(null, "", "/" + location.hash);
}
async function ask(path, body, signal) {
  const options = { headers: { Authorization: "Bearer " + sessionStorage.getItem("token") }, cache: "no-store", signal };
  if (body !== undefined) {
    options.method = "POST";
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(path, options);
  if (answer.status === 401) { location.replace("/"); throw new Error("401"); }
  const type = answer.headers.get("Content-Type") || "";
  const said = type.startsWith("application/json") ? await answer.json() : { error: (await answer.text()).trim() };
  if (!answer.ok) throw new Error(said.error || String(answer.status));
  return said;
}
// an archive has no size that is known, and says so when it is asked for
const mayTry = (file) => file.size !== 0 && !file.is_deleted && file.state !== "skipped";
const count = (n) => new Intl.NumberFormat(language === "zh" ? "zh-CN" : "en").format(n);
const at = (iso) => iso ? new Intl.DateTimeFormat(language === "zh" ? "zh-CN" : "en-GB",
  { dateStyle: "short", timeStyle: "medium" }).format(new Date(iso)) : say("never");
function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) { n /= 1024; unit += 1; }
  return (unit ? n.toFixed(1) : n) + " " + units[unit];
}
function span(seconds) {
  if (seconds < 1e-3) return (seconds * 1e6).toFixed(1) + " µs";
  if (seconds < 1) return (seconds * 1e3).toFixed(1) + " ms";
  if (seconds < 120) return seconds.toFixed(0) + " s";
  if (seconds < 7200) return (seconds / 60).toFixed(0) + " min";
  return (seconds / 3600).toFixed(1) + " h";
}
function table(caption, heads, rows) {
  const head = make("tr", null, heads.map(([name, kind]) => make("th", { scope: "col", class: kind }, name)));
  const body = rows.map((row) => make("tr", null, row.map((cell, place) =>
    make("td", { class: heads[place][1], "data-label": heads[place][0] || null }, cell))));
  return make("div", { class: "wide" }, make("table", { class: "cardlike" },
    make("caption", null, caption), make("thead", null, head), make("tbody", null, body)));
}
