// <span role="timer" data-seconds="587" data-over="It is over"> counts down, as the server counted when it sent the page.
const began = performance.now();

function shown(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
}

function tick() {
  const passed = (performance.now() - began) / 1000;
  for (const timer of document.querySelectorAll("[data-seconds]")) {
    const left = Math.ceil(Number(timer.dataset.seconds) - passed);
    timer.textContent = left > 0 ? shown(left) : timer.dataset.over;
    timer.closest("[data-lives]")?.classList.toggle("is-over", left <= 0);
  }
}

if (document.querySelector("[data-seconds]")) {
  tick();
  setInterval(tick, 1000);
}
