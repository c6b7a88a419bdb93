const COLOURS = 6;
// stacked bars: minutes from left to right, the rules that made the most events each in a colour of its own
function chart(minutes) {
  const totals = {};
  for (const minute of minutes) for (const [rule, n] of Object.entries(minute.events)) totals[rule] = (totals[rule] || 0) + n;
  const order = Object.keys(totals).sort((a, b) => totals[b] - totals[a]);
  if (!order.length) return make("p", { class: "soft" }, say("no_events_hour"));
  const shown = order.slice(0, COLOURS);
  const rest = order.slice(COLOURS);
  const parts = (minute) => [...shown.map((rule) => minute.events[rule] || 0), rest.reduce((sum, rule) => sum + (minute.events[rule] || 0), 0)];
  const names = [...shown, ...(rest.length ? [say("others")] : [])];
  const most = Math.max(...minutes.map((minute) => parts(minute).reduce((a, b) => a + b, 0)), 1);
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
    parts(minute).forEach((n, colour) => {
      if (!n) return;
      const tall = n / most * (height - 10);
      y -= tall;
      picture.append(make("rect", { x: x + 1, y, width: Math.max(step - 2, 1), height: tall, class: "f" + colour },
        make("title", null, `${names[colour]}: ${count(n)} (${at(minute.at)})`)));
    });
  });
  const legend = make("ul", { class: "legend" }, names.map((name, colour) =>
    make("li", null, make("span", { class: "swatch f" + colour, "aria-hidden": "true" }), name)));
  const rows = [...minutes].reverse().filter((m) => Object.keys(m.events).length).map((m) => [at(m.at), ...parts(m).slice(0, names.length).map(count)]);
  const heads = [[say("minute"), ""], ...names.map((name) => [name, "number"])];
  return [picture, legend, make("details", null, make("summary", null, say("as_table")), table(say("per_minute"), heads, rows))];
}
