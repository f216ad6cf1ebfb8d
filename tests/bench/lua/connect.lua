-- One event: log in, run SELECT 1, log out.

sysbench.cmdline.options = {}

function event()
   local connection = sysbench.sql.driver():connect()
   connection:query("SELECT 1")
   connection:disconnect()
end
