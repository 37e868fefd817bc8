// Runs before the first paint, so that a dark page never flashes white. The server knows the choice of a cookie; what the system
// prefers only the browser knows.
const root = document.documentElement;
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function follow() {
  root.dataset.bsTheme = root.dataset.theme === "auto" ? (dark.matches ? "dark" : "light") : root.dataset.theme;
}

follow();
dark.addEventListener("change", follow);
