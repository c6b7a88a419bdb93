// the token of this tab, kept by the page: a reload of the page comes here first
const kept = sessionStorage.getItem("token");
const tried = new URLSearchParams(location.search).get("token");
sayAll(document);
if (tried !== null) {
  sessionStorage.removeItem("token");
  history.replaceState(null, "", "/" + location.hash);
  document.getElementById("said").textContent = say("door_wrong");
} else if (kept) {
  location.replace("/?token=" + encodeURIComponent(kept) + location.hash);
}
document.getElementById("door").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = document.getElementById("token").value.trim();
  location.replace("/?token=" + encodeURIComponent(token) + location.hash);
});
