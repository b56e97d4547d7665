/**
 * The style of the page: light and dark by variables, tables that turn into cards below 700 px, nothing wider than the
 * window. Positioned scroll boxes keep visually hidden text from widening the page.
 */
export const pageStyle: string = `
:root{color-scheme:light dark;--bg:#fff;--card:#f6f8fa;--text:#1b1f24;--dim:#57606a;--edge:#d0d7de;--good:#116329;--warn:#7d4e00;--bad:#b3141d;--calm:#0a58ca}
@media(prefers-color-scheme:dark){:root{--bg:#0d1117;--card:#161b22;--text:#e6edf3;--dim:#9aa4b0;--edge:#30363d;--good:#57d26f;--warn:#e3b341;--bad:#ff7b72;--calm:#79b8ff}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:70rem;background:var(--bg);color:var(--text);font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
header{display:flex;flex-wrap:wrap;gap:.25rem 1rem;align-items:baseline}
h1{font-size:1.4rem;margin:0}h2{font-size:1.1rem;margin:0 0 .5rem}
p{margin:.25rem 0}ul,ol{margin:.5rem 0 0;padding-left:1.25rem}
section{margin-top:1rem;padding:1rem;background:var(--card);border:1px solid var(--edge);border-radius:.5rem}
.dim,caption,time{color:var(--dim);font-size:.9rem}
.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}.calm{color:var(--calm)}
.verdict{border-left:.4rem solid currentColor}.verdict>*{color:var(--text)}.verdict h2{color:inherit}
svg{width:.9em;height:.9em;vertical-align:-.08em;margin-right:.35em;fill:currentColor;stroke:currentColor}
svg.days{width:7.5rem;height:1rem;stroke:none}
code{font:.9em ui-monospace,monospace;background:var(--bg);border:1px solid var(--edge);border-radius:.25rem;padding:.05rem .3rem}
.wide{position:relative;overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
caption{text-align:left;padding-bottom:.25rem}
th,td{overflow-wrap:normal;text-align:left;padding:.4rem .6rem .4rem 0;border-top:1px solid var(--edge);vertical-align:top}
tbody th{overflow-wrap:anywhere}tbody th span{font-weight:400}
thead th{color:var(--dim);font-size:.9rem;border-top:0}
td .good,td .warn,td .bad,td .calm{white-space:nowrap}
.num{text-align:right}
a{color:var(--calm)}a:focus-visible,.wide:focus-visible{outline:3px solid var(--calm);outline-offset:2px}
.events{list-style:none;padding:0}.events time{display:inline-block;min-width:6.5rem}
footer{margin-top:1rem;color:var(--dim);font-size:.9rem}
@media(max-width:700px){
table,tbody,tr,td,tbody th,caption{display:block;width:100%}
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
tbody tr{border-top:1px solid var(--edge);padding:.5rem 0}
tbody th,td{border:0;padding:.1rem 0}
td{display:flex;gap:.75rem;overflow-wrap:anywhere}td.num{text-align:left}
td::before{content:attr(data-label);flex:0 0 7.5rem;color:var(--dim)}
td.none{display:none}
}
`;
