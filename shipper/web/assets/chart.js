const COLOURS = 6;
// stacked bars: minutes from left to right, the rules that made the most events each in a colour of its own
function chart(minutes) {
  // a rule may be called __proto__
  const each = minutes.map((minute) => new Map(Object.entries(minute.events)));
  const totals = new Map();
  for (const events of each) for (const [rule, n] of events) totals.set(rule, (totals.get(rule) || 0) + n);
  const order = [...totals.keys()].sort((a, b) => totals.get(b) - totals.get(a));
  if (!order.length) return make("p", { class: "soft" }, say("no_events_hour"));
  const shown = order.slice(0, COLOURS);
  const rest = order.slice(COLOURS);
  const parts = (place) => [...shown.map((rule) => each[place].get(rule) || 0), rest.reduce((sum, rule) => sum + (each[place].get(rule) || 0), 0)];
  const names = [...shown, ...(rest.length ? [say("others")] : [])];
  const most = Math.max(...minutes.map((_, place) => parts(place).reduce((a, b) => a + b, 0)), 1);
  const width = 900, height = 180, left = 50, bottom = 20, slots = Math.max(minutes.length, 20);
  const step = (width - left) / slots;
  const picture = make("svg", { viewBox: `0 0 ${width} ${height + bottom}`, role: "img", "aria-label": say("per_minute") });
  for (const share of [0, .5, 1]) {
    const y = height - share * (height - 10);
    picture.append(make("line", { x1: left, x2: width, y1: y, y2: y, class: "grid" }),
      make("text", { x: left - 6, y: y + 4, "text-anchor": "end" }, count(Math.round(most * share))));
  }
  minutes.forEach((minute, place) => {
    let y = height;
    const x = left + (slots - minutes.length + place) * step;
    parts(place).forEach((n, colour) => {
      if (!n) return;
      const tall = n / most * (height - 10);
      y -= tall;
      picture.append(make("rect", { x: x + 1, y, width: Math.max(step - 2, 1), height: tall, class: "f" + colour },
        make("title", null, `${names[colour]}: ${count(n)} (${at(minute.at)})`)));
    });
  });
  const legend = make("ul", { class: "legend" }, names.map((name, colour) =>
    make("li", null, make("span", { class: "swatch f" + colour, "aria-hidden": "true" }), name)));
  const rows = minutes.map((minute, place) => [at(minute.at), ...parts(place).slice(0, names.length)]).filter((row) => row.slice(1).some(Boolean))
    .map(([moment, ...numbers]) => [moment, ...numbers.map(count)]).reverse();
  const heads = [[say("minute"), ""], ...names.map((name) => [name, "number"])];
  return [picture, legend, make("details", null, make("summary", null, say("as_table")), table(say("per_minute"), heads, rows))];
}
