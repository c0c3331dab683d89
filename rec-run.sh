for v in "$@"; do
P=.venv/cpython-$v/bin/python
$P - <<PY
import subprocess, sys, os, time, resource
sys.path.insert(0,"tests/stress/recursion")
from chains import CHAINS, EXPECTED
L=os.environ.get("L","20000")
names=list(CHAINS); t=time.time()
while names:
    c=subprocess.run([sys.executable,"tests/stress/recursion/chains.py",L,*names],capture_output=True,text=True)
    lines=c.stdout.splitlines()
    for n,o in zip(lines[::2],lines[1::2]):
        if o!=EXPECTED[n]: print("$v DIFFERENT",n,o,c.stderr[-300:])
    if len(lines)%2: print("$v CRASH",lines[-1],c.returncode,c.stderr[-300:])
    if not lines: print(c.stderr[-500:]); break
    done=set(lines[::2]); names=[n for n in names if n not in done]
r=resource.getrusage(resource.RUSAGE_CHILDREN)
print("$v", L, "wall %.1f user %.1f sys %.1f rss %d MB"%(time.time()-t,r.ru_utime,r.ru_stime,r.ru_maxrss//1024))
PY
done
