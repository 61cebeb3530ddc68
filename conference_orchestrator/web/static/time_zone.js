// Chooses the time zone that the browser knows, unless one is chosen already or the list does not have it.

const zones = document.getElementById("time_zone");
if (zones?.value === "") {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if ([...zones.options].some((option) => option.value === own)) zones.value = own;
}
