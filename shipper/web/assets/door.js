// the token of this tab, kept by the page: a reload of the page comes here first. It is shown in a header, never in an address
const rules = self.trustedTypes ? trustedTypes.createPolicy("door", { createHTML: (page) => page }) : { createHTML: (page) => page };
const kept = sessionStorage.getItem("token");
const tried = new URLSearchParams(location.search).get("token");
const said = document.getElementById("said");
let entering = false;
async function enter(token) {
  if (entering) return;
  entering = true;
  said.textContent = "";
  try {
    const answer = await fetch("/", { headers: { Authorization: "Bearer " + token }, cache: "no-store" });
    if (!answer.ok) {
      sessionStorage.removeItem("token");
      said.textContent = answer.status === 401 ? say("door_wrong") : (await answer.text()).trim();
      return;
    }
    const page = await answer.text();
    sessionStorage.setItem("token", token);
    // the policy of this document names the page's script, too, and no other
    document.open();
    document.write(rules.createHTML(page));
    document.close();
  } catch {
    said.textContent = say("door_no_answer");
  } finally {
    entering = false;
  }
}
sayAll(document);
if (tried !== null) {
  sessionStorage.removeItem("token");
  history.replaceState(null, "", "/" + location.hash);
  said.textContent = say("door_wrong");
} else if (kept) {
  enter(kept);
}
document.getElementById("door").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = document.getElementById("token").value.trim();
  // what no header can hold is no token
  if (/^[\x21-\x7e]+$/.test(token)) enter(token); else said.textContent = say("door_wrong");
});
