// Links are relative, and Orthanc does not tell us whether the address ended with a slash: the worklist's does,
// all others do not. Before anything else is loaded, go to the one that the links are relative to.
"use strict";

{
  const { pathname, search, hash } = location;
  const wanted = "slash" in document.currentScript.dataset ? "/" : "";
  const right = pathname.replace(/\/*$/, wanted);
  if (right !== pathname) location.replace(right + search + hash);
}
