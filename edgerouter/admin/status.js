const lost = document.getElementById("lost");

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.pathname, { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.getElementById("live").replaceWith(page.getElementById("live"));
    lost.hidden = true;
  } catch {
    lost.hidden = false;
  }
}

setInterval(refresh, 3000);
document.addEventListener("visibilitychange", refresh);
