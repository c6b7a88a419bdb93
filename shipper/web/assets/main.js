const VIEWS = { overview, files, rules, events, letters, workshop };
const EVERY = 2000;
let current = "overview";
let asked = 0;
const box = make("div", { id: "box" });
function show() {
  const wanted = location.hash.slice(1);
  current = Object.hasOwn(VIEWS, wanted) ? wanted : "overview";
  sayAll(document);
  document.title = `${say(current)} · Shipper`;
  document.getElementById("language").textContent = say("other");
  document.getElementById("language").lang = language === "zh" ? "en" : "zh-CN";
  document.getElementById("tabs").replaceChildren(...Object.keys(VIEWS).map((name) => make("a", { href: "#" + name, "aria-current": name === current ? "page" : null }, say(name))));
  const view = VIEWS[current];
  box.replaceChildren();
  document.getElementById("main").replaceChildren(...(view.frame ? view.frame(box) : [box]).flat().filter(Boolean));
  refresh(true);
}
// what somebody has the keyboard in is not taken away from under them, unless they asked for it
async function refresh(wanted) {
  const view = VIEWS[current];
  const mine = ++asked;
  try {
    const status = await ask("/status?files=0");
    tellHealth(status);
    if (!view.load || (!wanted && (box.contains(document.activeElement) || box.querySelector("details[open]")))) return;
    const parts = await view.load(status);
    if (mine === asked) box.replaceChildren(...[parts].flat(Infinity).filter(Boolean));
  } catch (error) {
    if (mine === asked) tellHealth(null, error);
  }
}
function tellHealth(status, error) {
  const place = document.getElementById("health");
  const text = status ? say(status.health) : error instanceof TypeError ? say("no_answer") : error.message;
  if (place.textContent !== text) place.textContent = text;
  place.className = status ? status.health : "error";
}
document.getElementById("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  localStorage.setItem("language", language);
  show();
});
addEventListener("hashchange", () => { show(); document.getElementById("main").focus(); });
setInterval(() => { if (!document.hidden) refresh(false); }, EVERY);
show();
